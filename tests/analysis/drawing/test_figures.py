import dataclasses
from xml.etree import ElementTree

import pytest

from qtrl.analysis.drawing.export import to_png
from qtrl.analysis.drawing.figures import NAMES, draw_figures
from qtrl.analysis.drawing.panels import bands_of, info_panels, limits
from qtrl.analysis.drawing.styles import styles_of
from qtrl.analysis.statistics.table import table

SVG = "{http://www.w3.org/2000/svg}"


def drawn(study):
    figures = draw_figures(study, table(study, reference="pqc"), reference="pqc")
    return {drawing.name: drawing for drawing in figures}


@pytest.fixture(scope="module")
def figures(study):
    """The SVG of each figure."""
    return {name: drawing.svg() for name, drawing in drawn(study).items()}


def elements(svg, tag):
    return list(ElementTree.fromstring(svg).iter(SVG + tag))


def test_every_block_is_in_every_figure_and_can_be_hidden(figures, study):
    assert [*figures] == [name for name in NAMES if name not in ("scores", "examples")]
    for name, svg in figures.items():
        classes = {word for group in elements(svg, "g") for word in group.get("class", "").split()}
        expected = {f"block-{style.number}" for style in styles_of(study.runs).values()}
        assert expected - classes == ({"block-0"} if name == "improvement" else set())


def test_tooltips_tell_values_where_they_are_drawn(figures, study):
    svg = figures["returns"]
    width, height = (float(size) for size in ElementTree.fromstring(svg).get("viewBox").split()[2:])
    discs = {disc.find(SVG + "title").text: disc for disc in elements(svg, "circle")}
    for label, runs in study.runs.items():
        assert all(f"{label}, seed {run.seed}: {run.summary['return_mean']:,.4g}" in discs for run in runs)
    assert all(0 < float(disc.get("cx")) < width and 0 < float(disc.get("cy")) < height for disc in discs.values())
    places = {float(text.rpartition(": ")[2]): float(disc.get("cx")) for text, disc in discs.items() if "seed" in text}
    assert sorted(places, key=places.get) == sorted(places)


def test_an_svg_follows_the_colors_of_the_page_and_has_no_ids_that_could_clash(figures):
    for name, svg in figures.items():
        assert "var(--color-0)" in svg or name == "improvement"
        assert "#000000" not in svg and "#ffffff" not in svg
        assert not [group for group in elements(svg, "g") if "id" in group.attrib]


def test_labels_are_not_read_as_mathematics_or_markup(study, coarse):
    labels = ("pqc", r"$\frac", "_$a$</text><script>")
    odd = dataclasses.replace(study, runs=dict(zip(labels, ([runs[0]] for runs in study.runs.values()), strict=False)))
    figures = drawn(odd)
    assert all(to_png(drawing.figure).startswith(b"\x89PNG") for drawing in figures.values())
    svg = figures["returns"].svg()
    assert not elements(svg, "script")
    assert r"$\frac" in "".join(ElementTree.fromstring(svg).itertext())


def test_bands_leave_out_blocks_without_the_metric(study):
    bands = bands_of(study)
    assert set(bands["test/return_mean"]) == set(study.runs)
    assert set(bands["train/q_out_entropy"]) == set(study.runs) - {"fc"}


def test_axes_hold_the_values_of_all_seeds(study):
    bands = bands_of(study)["loss/critic"]
    values = [run.columns["loss/critic"][1] for runs in study.runs.values() for run in runs]
    for log in (False, True):
        low, high = limits(bands.values(), log=log)
        assert all(low < value.min() and value.max() < high for value in values)
    assert limits([], log=False) is None


def test_what_environments_say_has_a_panel_for_each_name(study):
    assert [panel.title for panel in info_panels(study)] == ["is_success", "x_velocity"]
    silent = {
        label: [
            dataclasses.replace(run, columns={k: v for k, v in run.columns.items() if "/info/" not in k})
            for run in runs
        ]
        for label, runs in study.runs.items()
    }
    assert info_panels(dataclasses.replace(study, runs=silent)) == []


def test_names_of_a_strangers_table_are_names(study):
    run = study.runs["pqc"][0]
    odd = {f"test/info/{name}": run.columns["test/info/x_velocity"] for name in ("$\\frac", "<script>", "a b", "fine")}
    study = dataclasses.replace(study, runs={"pqc": [dataclasses.replace(run, columns=odd)]})
    assert [panel.title for panel in info_panels(study)] == ["fine"]


def test_models_have_figures_of_their_own(model_study):
    found = drawn(model_study)
    assert [*found] == ["scores", "improvement", "learning_curves", "examples"]
    assert any("at 100 examples seen: 0.65" in tooltip.text for tooltip in found["learning_curves"].tooltips)
