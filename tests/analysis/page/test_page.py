import dataclasses
import html.parser
from pathlib import Path

import pytest

from qtrl.analysis.drawing.figures import draw_figures
from qtrl.analysis.page.write import make_page, write_report
from qtrl.analysis.runs.study import Skipped
from qtrl.analysis.statistics.table import table
from qtrl.errors import RunFolderError

HOSTILE = "</script></svg><script>document.title = 'taken'</script><img src=x onerror=alert(1)>"


def page_of(study, title, command):
    rows = table(study, reference="pqc")
    drawings = draw_figures(study, rows, reference="pqc")
    return make_page(study, rows, drawings, reference="pqc", title=title, command=command)


@pytest.fixture(scope="module")
def page(written):
    return (written[0] / "report.html").read_text()


class Elements(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.all = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.all.append((tag, dict(attrs)))

    def named(self, tag):
        return [attributes for name, attributes in self.all if name == tag]


def test_nothing_is_loaded_and_no_script_can_run(page):
    elements = Elements(page)
    assert not [attributes for _, attributes in elements.all if "src" in attributes]
    assert [a["href"] for a in elements.named("link")] == ["data:,"]
    assert all(a["href"].startswith("#") for a in elements.named("a"))
    (allowed,) = (a["content"] for a in elements.named("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert allowed.startswith("default-src 'none'; ") and "script" not in allowed and "http" not in allowed
    assert not elements.named("script")
    assert "@import" not in page and "url(http" not in page


def test_each_figure_and_table_says_what_it_is(page):
    elements = Elements(page)
    figures = [attributes for attributes in elements.named("div") if "plot" in attributes.get("class", "")]
    assert len(figures) == len(elements.named("figure"))
    assert all(len(figure["aria-label"]) > 40 and figure["role"] == "img" for figure in figures)
    assert len(elements.named("caption")) == len(elements.named("table"))
    assert elements.named("html")[0]["lang"] == "en"
    ids = [
        attributes["id"] for tag, attributes in elements.all if "id" in attributes and tag not in ("path", "clippath")
    ]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for a in elements.named("a")} <= set(ids)


def test_columns_name_the_starts_that_their_tests_have(page):
    assert "of the final test (100 starts)" in page
    for head in (
        "best test (10 starts)",
        "last ten tests (10 starts)",
        "final test on these 10 starts",
        "gap (10 starts)",
    ):
        assert f'<th scope="col">{head}</th>' in page


def test_broken_runs_are_named_with_the_reason(page, study_dir):
    for name in ("pqc/stopped", "fc/cut", "fc/hostile"):
        assert str(study_dir / name) in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)" not in page


def test_texts_of_strangers_stay_texts(study, coarse):
    """Whatever gets past the checks of a label."""
    runs = {("pqc" if label == "pqc" else HOSTILE + label): found for label, found in study.runs.items()}
    changed = dataclasses.replace(
        study,
        runs=runs,
        skipped=[Skipped(Path(HOSTILE), HOSTILE), Skipped(Path("\udcff"), "a name that is no UTF-8")],
        facts=study.facts | {"env_id": HOSTILE},
        warnings=[HOSTILE],
    )
    page = page_of(changed, HOSTILE, HOSTILE)
    page.encode()
    elements = Elements(page)
    assert elements.named("img") == []
    assert elements.named("script") == []
    assert "<title>&lt;/script&gt;" in page


def test_one_run_of_one_block_makes_a_report(study, tmp_path, coarse):
    alone = dataclasses.replace(study, runs={"pqc": study.runs["pqc"][:1]}, skipped=[], warnings=[])
    files = write_report(alone, table(alone, reference="pqc"), tmp_path, reference="pqc", title="One", command="none")
    assert [path.name for path in files[:2]] == ["report.html", "table.csv"]
    assert all(path.read_bytes() for path in files)
    assert "There is no other block" in files[0].read_text()
    assert set(tmp_path.iterdir()) == set(files)


def test_a_figure_of_an_earlier_report_does_not_stay(study, tmp_path, one_figure):
    for name in ("improvement.png", "of_my_own.png"):
        (tmp_path / name).write_text("old")
    alone = dataclasses.replace(study, runs={"pqc": study.runs["pqc"][:1]}, skipped=[], warnings=[])
    rows = table(alone, reference="pqc")
    files = write_report(alone, rows, tmp_path, reference="pqc", title="One", command="none")
    assert set(tmp_path.iterdir()) == {*files, tmp_path / "of_my_own.png"}
    (tmp_path / "improvement.png").mkdir()
    with pytest.raises(RunFolderError, match=r"improvement\.png of an earlier report cannot be removed: "):
        write_report(alone, rows, tmp_path, reference="pqc", title="One", command="none")


def test_a_page_about_models_has_no_words_of_agents(model_study):
    page = page_of(model_study, "Models", "a command")
    assert not [word for word in ("return", "reward", "env step", "episode", "policy", "warm-up") if word in page]
    assert "has accuracy <b>0.9" in page and "Validation accuracy while training" in page
    assert "examples seen" in page and "Validation loss" in page and "last ten validations" in page
