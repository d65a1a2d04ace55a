from types import SimpleNamespace

import torch
from untrained_model import write_run

from qtrl.commands.export.models.table_rows import draw_rows, table_rows
from qtrl.nn import Standardize
from qtrl.run.saved_run import open_saved_run

SCALE = Standardize(torch.tensor([[0.0, 100.0], [2.0, 104.0]]))


def test_rows_of_the_table_come_once_each():
    rows = torch.arange(20.0).reshape(10, 2)
    found, source = draw_rows(rows, SCALE, count=50, seed=0)
    assert source == "the table" and torch.equal(found[found[:, 0].argsort()], rows)
    assert draw_rows(rows, SCALE, count=3, seed=0)[0].shape == (3, 2)


def test_without_the_table_they_are_as_its_training_rows():
    found, source = draw_rows(None, SCALE, count=5_000, seed=0)
    assert "normal distribution" in source and found.dtype == torch.float32
    assert torch.allclose(found.mean(0), torch.tensor([1.0, 102.0]), atol=0.1)
    assert torch.allclose(found.std(0), torch.tensor([1.0, 2.0]), atol=0.1)


def test_the_table_is_the_one_that_the_model_was_trained_on_or_none(compose, tmp_path):
    task, _ = write_run(tmp_path, compose, "hdqnn_moons", "dataset.rows=100")
    saved = open_saved_run(tmp_path, "last", block={}, trust=())
    found = table_rows(saved)
    assert found.shape == (100, 2) and torch.equal(found[: len(task.split.train)], task.split.train.inputs)
    assert table_rows(SimpleNamespace(**vars(saved) | {"checkpoint": {"fingerprint": "another"}})) is None
    saved.cfg.dataset.rows = 0
    assert table_rows(saved) is None
