import pytest
import torch

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]

SMALL = ("debug=smoke", "trainer=gpu", "logger=csv")


def last_checkpoint(folder):
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True, map_location="cpu")


@pytest.mark.parametrize(
    "options",
    [
        ("experiment=pendulum_pqc",),
        ("experiment=humanoid_fc", "data.policy_device=cpu"),
        ("experiment=humanoid_pqc", "data.storage=device"),
        ("experiment=humanoid_pqc", "data.storage=device", "gradient=qtdnn_fresh", "algo.cuda_graphs=true"),
        ("experiment=pendulum_pqc", "algo.cuda_graphs=true"),
    ],
    ids=lambda options: "-".join(option.rpartition("=")[2] for option in options),
)
def test_a_small_whole_run_on_the_device(options, train, tmp_path):
    folder = tmp_path / "run"
    assert train(*options, *SMALL, f"run_dir={folder}") == 0
    checkpoint = last_checkpoint(folder)
    assert (checkpoint["env_steps"], checkpoint["updates"]) == (100, 50)
    assert all(value.isfinite().all() for value in checkpoint["state_dict"].values())


@pytest.mark.parametrize("options", [(), ("data.storage=device", "algo.cuda_graphs=true")], ids=["plain", "graphs"])
def test_a_run_on_the_device_is_resumed(options, train, tmp_path):
    folder = tmp_path / "run"
    assert train("experiment=pendulum_pqc", *SMALL, *options, f"run_dir={folder}") == 0
    assert train("resume=true", f"run_dir={folder}", "total_env_steps=120") == 0
    assert last_checkpoint(folder)["updates"] == 70


@pytest.mark.parametrize("options", [(), ("gradient=qtdnn_fresh",)], ids=["recent", "fresh"])
def test_replayed_graphs_make_the_updates_that_launches_make(options, train, tmp_path):
    checkpoints = []
    for graphs in ("false", "true"):
        folder = tmp_path / graphs
        names = ("experiment=humanoid_pqc", *SMALL, "data.storage=device", f"algo.cuda_graphs={graphs}")
        assert train(*names, *options, f"run_dir={folder}") == 0
        checkpoints.append(last_checkpoint(folder))
    one, other = checkpoints
    assert one["updates"] == other["updates"] == 50 and one["global_step"] == other["global_step"]
    assert one["ledger"]["circuits"] == other["ledger"]["circuits"]
    for name, value in one["state_dict"].items():
        torch.testing.assert_close(
            other["state_dict"][name], value, rtol=1e-4, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}"
        )
    for purpose, state in one["generators"][0].items():
        assert torch.equal(other["generators"][0][purpose], state), purpose
