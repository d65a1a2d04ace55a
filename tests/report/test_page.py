import dataclasses
import html.parser
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from qtrl.errors import RunFolderError
from qtrl.report import table
from qtrl.report.page import Text, embedded, make_page, policy
from qtrl.report.page_tables import interval, number
from qtrl.report.panels import bands_of
from qtrl.report.plots import Plot
from qtrl.report.runs import Skipped
from qtrl.report.styles import styles_of
from qtrl.report.write import write_report

pytestmark = pytest.mark.xdist_group("report")  # the report of the fixture `written` is made once
HOSTILE = "</script><script>document.title = 'taken'</script><img src=x onerror=alert(1)>"


def page_of(study, title="A title", command="python -m qtrl.report runs=DIR"):
    rows = table(study, reference="pqc")
    bands, styles = bands_of(study), styles_of(study.runs)
    return make_page(study, rows, bands, styles, Text(title, command, "pqc"))


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


def test_nothing_is_loaded_from_elsewhere(page):
    elements = Elements(page)
    assert [attributes for _, attributes in elements.all if "src" in attributes] == []
    assert [a["href"] for a in elements.named("link")] == ["data:,"]
    assert all(a["href"].startswith("#") for a in elements.named("a"))
    (allowed,) = (a["content"] for a in elements.named("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert allowed.startswith("default-src 'none'; script-src 'sha256-")
    assert "http" not in allowed and "'unsafe-eval'" not in allowed
    assert "@import" not in page.partition("</style>")[0] and "url(" not in page.partition("</style>")[0]


def test_each_plot_and_table_says_what_it_is(page):
    elements = Elements(page)
    plots = [attributes for attributes in elements.named("div") if attributes.get("class") == "plot"]
    assert len(plots) == 10
    assert all(len(plot["aria-label"]) > 40 and plot["role"] == "img" for plot in plots)
    assert len(elements.named("caption")) == len(elements.named("table"))
    assert elements.named("html")[0]["lang"] == "en"
    anchors = {attributes["id"] for _, attributes in elements.all if "id" in attributes}
    assert {a["href"][1:] for a in elements.named("a")} <= anchors
    levels = [int(tag[1]) for tag, _ in elements.all if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1 and max(np.diff(levels)) == 1


def test_broken_runs_are_named_with_the_reason(page, study_dir):
    for name in ("pqc/stopped", "fc/cut", "fc/hostile"):
        assert str(study_dir / name) in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)" not in page


def test_texts_of_strangers_stay_texts(study):
    """Whatever gets past the checks of a label."""
    runs = {("pqc" if label == "pqc" else HOSTILE + label): found for label, found in study.runs.items()}
    changed = dataclasses.replace(
        study,
        runs=runs,
        skipped=[Skipped(Path(HOSTILE), HOSTILE), Skipped(Path("\udcff"), "a name that is no UTF-8")],
        facts=study.facts | {"env_id": HOSTILE},
        warnings=[HOSTILE],
    )
    page = page_of(changed, title=HOSTILE, command=HOSTILE)
    page.encode()
    elements = Elements(page)
    assert elements.named("img") == []
    assert len(elements.named("script")) == 3
    assert "<title>&lt;/script&gt;" in page


def test_figures_cannot_leave_their_script_element():
    figure = json.dumps({"name": HOSTILE + "\u2028&"})
    text = embedded({"a": [Plot("one", "", "", "", 1, figure)]})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"one": {"name": HOSTILE + "\u2028&"}}


def test_the_policy_names_scripts_by_their_hash():
    # printf 'alert(1)' | openssl dgst -sha256 -binary | base64
    assert "script-src 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='" in policy(["alert(1)"])


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(-1234.56, 1, "\N{MINUS SIGN}1,234.6"), (0.125, 2, "0.12"), (math.nan, 1, "\N{EN DASH}"), (2e6, 0, "2,000,000")],
)
def test_numbers_as_written(value, digits, text):
    assert number(value, digits) == text


def test_an_interval_that_is_not_known_is_a_dash():
    assert interval(1, 2) == "1.0 to 2.0"
    assert interval(math.nan, 2) == "\N{EN DASH}"


def test_one_run_of_one_block_makes_a_report(study, tmp_path, coarse):
    alone = dataclasses.replace(study, runs={"pqc": study.runs["pqc"][:1]}, skipped=[], warnings=[])
    files = write_report(alone, table(alone, reference="pqc"), tmp_path, reference="pqc", title="One", command="none")
    assert [path.name for path in files[:2]] == ["report.html", "table.csv"]
    assert all(path.read_bytes() for path in files)
    assert "There is no other block" in files[0].read_text()
    assert set(tmp_path.iterdir()) == set(files)


def test_a_figure_of_an_earlier_report_does_not_stay(study, tmp_path, coarse):
    for name in ("improvement.png", "of_my_own.png"):
        (tmp_path / name).write_text("old")
    alone = dataclasses.replace(study, runs={"pqc": study.runs["pqc"][:1]}, skipped=[], warnings=[])
    rows = table(alone, reference="pqc")
    files = write_report(alone, rows, tmp_path, reference="pqc", title="One", command="none")
    assert set(tmp_path.iterdir()) == {*files, tmp_path / "of_my_own.png"}
    (tmp_path / "improvement.png").mkdir()
    with pytest.raises(RunFolderError, match=r"improvement\.png of an earlier report cannot be removed: "):
        write_report(alone, rows, tmp_path, reference="pqc", title="One", command="none")


def test_columns_of_tests_with_other_starts_say_so(page):
    heads = re.findall('<th scope="col">([^<]*)</th>', page)
    for head in (
        "best test (10 starts)",
        "last ten tests (10 starts)",
        "final test on these 10 starts",
        "gap (10 starts)",
    ):
        assert head in heads
    assert "of the final test (100 starts)" in page
