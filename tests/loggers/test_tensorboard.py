import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from qtrl.errors import ConfigError, RunFolderError
from qtrl.loggers import TensorBoard


def written(folder):
    """Scalars by name, as (step, value)."""
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return {name: [(one.step, one.value) for one in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_env_steps_are_the_axis(tmp_path):
    logger = TensorBoard(tmp_path, run_name="run", tags=["a"], config={"block": {"shots": 100}})
    logger.log_metrics({"env_steps": 10, "loss/critic": 0.5}, step=77)
    logger.log_metrics({"env_steps": 20, "loss/critic": 0.25, "test/return_mean": -3.0})
    logger.finalize("success")
    found = written(tmp_path)
    assert found["loss/critic"] == [(10, 0.5), (20, 0.25)] and found["test/return_mean"] == [(20, -3.0)]
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    (text,) = events.Tensors("config/text_summary")
    assert b'"shots": 100' in text.tensor_proto.string_val[0]


def test_rows_after_the_checkpoint_that_a_run_goes_on_from_are_hidden(tmp_path):
    for steps in ((10, 20, 30), (30, 40)):
        logger = TensorBoard(tmp_path)
        for step in steps:
            logger.log_metrics({"env_steps": step, "x": float(step + len(steps))})
        logger.finalize("success")
    assert written(tmp_path)["x"] == [(10, 13.0), (20, 23.0), (30, 32.0), (40, 42.0)]


def test_nothing_is_made_before_the_first_row(tmp_path):
    TensorBoard(tmp_path).finalize("failed")
    assert not list(tmp_path.iterdir())


def test_without_the_package_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"pip install 'qtrl\[tensorboard\]'"):
        TensorBoard(tmp_path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "tensorboard").write_text("")
    with pytest.raises(RunFolderError, match="tensorboard cannot be written: "):
        TensorBoard(tmp_path).log_metrics({"env_steps": 1})
