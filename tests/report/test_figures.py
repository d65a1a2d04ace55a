import dataclasses
import io

import numpy as np
import pytest
from matplotlib.image import imread

from qtrl.report import table
from qtrl.report.figures import draw_figures
from qtrl.report.panels import bands_of
from qtrl.report.styles import styles_of

pytestmark = pytest.mark.xdist_group("report")  # the report of the fixture `written` is made once


def holds(picture, color):
    wanted = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return (np.abs(picture[..., :3] - wanted).max(-1) < 0.02).sum() > 20


def test_every_block_is_drawn_in_its_color_in_every_figure(study, written):
    pictures = {path.stem: imread(path) for path in written[0].glob("*.png")}
    assert set(pictures) == {"learning_curves", "figure4", "returns", "gap", "improvement"}
    for name, picture in pictures.items():
        assert picture.shape[1] >= 1200
        for label, style in styles_of(study.runs).items():
            assert holds(picture, style.light) or (name, label) == ("improvement", "pqc"), (name, label)


def test_labels_are_not_read_as_mathematics(study, coarse):
    runs = {"pqc": study.runs["pqc"][:1], r"$\frac": study.runs["fc"][:1], "_$a$": study.runs["zeros"][:1]}
    odd = dataclasses.replace(study, runs=runs)
    styles = styles_of(runs)
    figures = draw_figures(odd, table(odd, reference="pqc"), bands_of(odd), styles, reference="pqc")
    assert all(imread(io.BytesIO(picture)).size for picture in figures.values())


def test_bands_leave_out_blocks_without_the_metric(study):
    bands = bands_of(study)
    assert set(bands["test/return_mean"]) == set(study.runs)
    assert set(bands["train/q_out_entropy"]) == set(study.runs) - {"fc"}
