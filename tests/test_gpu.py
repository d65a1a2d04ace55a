import pytest
import torch

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


@pytest.mark.parametrize("policy_device", ["null", "cpu"])
@pytest.mark.parametrize("experiment", ["pendulum_pqc", "humanoid_fc"])
def test_a_small_whole_run_on_the_device(experiment, policy_device, train, tmp_path):
    folder = tmp_path / "run"
    options = ("debug=smoke", "trainer=gpu", f"data.policy_device={policy_device}", "logger=csv")
    assert train(f"experiment={experiment}", *options, f"run_dir={folder}") == 0
    checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True, map_location="cpu")
    assert (checkpoint["env_steps"], checkpoint["updates"]) == (100, 50)
    assert all(value.isfinite().all() for value in checkpoint["state_dict"].values())


def test_a_run_on_the_device_is_resumed(train, tmp_path):
    folder = tmp_path / "run"
    assert train("experiment=pendulum_pqc", "debug=smoke", "trainer=gpu", "logger=csv", f"run_dir={folder}") == 0
    assert train("resume=true", f"run_dir={folder}", "total_env_steps=120") == 0
    assert torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True, map_location="cpu")["updates"] == 70
