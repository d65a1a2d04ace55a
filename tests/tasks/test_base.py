import json

import pytest
import torch

pytestmark = pytest.mark.filterwarnings("default")
TOY = ("experiment=pendulum_pqc", "task._target_=toy_task.Line", "logger=csv", "checkpoint_every_env_steps=1000")


def state_of(folder):
    checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    moments = checkpoint["optimizer_states"][0]["state"]
    return {
        **checkpoint["state_dict"],
        **{f"{i}/{name}": value for i, kept in moments.items() for name, value in kept.items()},
        "points": checkpoint["loops"]["fit_loop"]["state_dict"]["combined_loader"][0]["generator"],
        "counters": torch.tensor([checkpoint["env_steps"], checkpoint["updates"]]),
    }


def test_another_task_trains_through_the_same_run(train, tmp_path):
    folder = tmp_path / "run"
    assert train(*TOY, "total_env_steps=8000", "warmup_env_steps=0", f"run_dir={folder}") == 0
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["status"] == "complete"
    assert (summary["env_steps"], summary["updates"], summary["points"]) == (8000, 1000, "3 x - 1")
    assert summary["return_mean"] == pytest.approx(0, abs=0.05)


def test_lightning_may_clip_the_gradients_of_another_task(train, tmp_path):
    folder = tmp_path / "run"
    flags = ("+trainer.gradient_clip_val=1e-9", "+trainer.gradient_clip_algorithm=value")
    assert train(*TOY, *flags, "total_env_steps=80", "warmup_env_steps=0", f"run_dir={folder}") == 0
    assert json.loads((folder / "summary.json").read_text())["updates"] == 10


def test_another_task_resumes_bit_for_bit(train, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    common = (*TOY, "warmup_env_steps=0")
    assert train(*common, "total_env_steps=4000", f"run_dir={whole}") == 0
    assert train(*common, "total_env_steps=1600", f"run_dir={parts}") == 0
    trusted = "trust=[toy_task.Line]"
    assert train("resume=true", f"run_dir={parts}", "total_env_steps=4000", trusted) == 0
    expected, found = state_of(whole), state_of(parts)
    assert expected.keys() == found.keys()
    assert all(torch.equal(torch.as_tensor(found[name]), torch.as_tensor(expected[name])) for name in expected)
