import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

TESTS = Path(__file__).parent
TOTAL, WARMUP, WORLD = 60, 20, 2


def train(folder, total, *overrides, **options):
    """Start a run of two gloo processes in `folder`/run."""
    command = [
        sys.executable,
        str(TESTS / "ddp_dump.py"),
        "experiment=pendulum_pqc",
        "debug=smoke",
        "trainer=ddp",
        f"trainer.devices={WORLD}",
        "trainer.accelerator=cpu",
        f"total_env_steps={total}",
        f"warmup_env_steps={WARMUP}",
        "checkpoint_every_env_steps=30",
        "normalize=running",
        "callbacks.test_max_episode_steps=20",
        f"run_dir={folder / 'run'}",
        *overrides,
    ]
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def end(process):
    """Wait for a run; return its status, what it printed and its errors."""
    out, errors = process.communicate(timeout=300)
    return SimpleNamespace(returncode=process.returncode, stdout=out, stderr=errors)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """40 env steps with learning, 20 on each rank, so 40 updates of each."""
    folder = tmp_path_factory.mktemp("ddp")
    done = end(train(folder, TOTAL))
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.fixture(scope="module")
def ranks(run):
    return [torch.load(run[0] / f"rank{rank}.pt", weights_only=True) for rank in range(WORLD)]


def test_ranks_have_equal_parameters_after_at_least_20_updates(ranks):
    first, second = ranks
    assert first["updates"] == second["updates"] == TOTAL - WARMUP
    assert (first["world_size"], first["backend"]) == (2, "gloo")
    assert first["weights"].keys() == second["weights"].keys()
    for name, value in first["weights"].items():
        torch.testing.assert_close(second["weights"][name], value, atol=1e-6, rtol=1e-6)


def test_statistics_of_observations_are_those_of_both_ranks(ranks):
    rows = torch.cat([rank["rows"] for rank in ranks]).double()
    for rank in ranks:
        assert rank["weights"]["actor.norm.count"] == TOTAL == len(rows)
        torch.testing.assert_close(rank["weights"]["actor.norm.mean"], rows.mean(0))
        torch.testing.assert_close(rank["weights"]["critic.norm.variance"], rows.var(0, correction=0))


def test_learning_moved_every_network(ranks, compose):
    from qtrl.config.instantiate import construct_task
    from qtrl.tasks import RunContext

    cfg = compose("experiment=pendulum_pqc", "debug=smoke")
    module = construct_task(cfg).make_module(RunContext(Path("run"), cfg.seed))
    for name, value in module.state_dict().items():
        assert not torch.equal(value, ranks[0]["weights"][name]), name


def test_each_rank_has_a_replay_of_its_own_and_env_steps_are_sums(ranks):
    first, second = (rank["rows"] for rank in ranks)
    assert len(first) == len(second) == TOTAL / WORLD
    assert not (first[:, None] == second[None]).all(-1).any()
    assert {rank["env_steps"] for rank in ranks} == {TOTAL}


def test_rank_0_alone_wrote_the_run_folder(run):
    folder = run[0] / "run"
    with (folder / "metrics.csv").open(newline="") as file:
        kinds = "test/return_mean", "probe/expectation_mean"
        rows = [(int(row["env_steps"]), *(bool(row[kind]) for kind in kinds)) for row in csv.DictReader(file)]
    assert len(rows) == len(set(rows))
    assert rows[-1][0] == TOTAL
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["status"], summary["world_size"]) == ("complete", WORLD)
    assert (summary["env_steps"], summary["updates"]) == (TOTAL, TOTAL - WARMUP)
    assert summary["circuits_by_purpose"]["collect"] == TOTAL
    assert summary["circuits_by_purpose"]["test"] == 20
    assert summary["circuits_by_purpose"]["probe"] == 6 * 16  # as on one rank
    assert summary["parameter_shift_circuits"] == WORLD * 16 * (40 + 20 * (1 + 2 * 40))
    checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert (checkpoint["env_steps"], checkpoint["updates"]) == (TOTAL, TOTAL - WARMUP)
    assert {path.name for path in (folder / "checkpoints" / "replay").iterdir()} == {"rank0", "rank1"}
    assert len(list((folder / "wandb").glob("offline-run-*"))) == 1


def test_a_checkpoint_holds_the_random_states_of_both_ranks(run):
    checkpoint = torch.load(run[0] / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    stream = checkpoint["loops"]["fit_loop"]["state_dict"]["combined_loader"][0]
    noise = [generators["target_noise"] for generators in checkpoint["generators"]]
    shots = [rank["policy"]["shots"] for rank in stream["ranks"]]
    assert len(noise) == len(shots) == WORLD
    assert not torch.equal(*noise)
    assert not torch.equal(*shots)


def test_the_terminal_says_everything_once(run):
    lines = run[1].stdout.splitlines()
    assert [line for line in lines if "run folder" in line] == lines[:1]
    assert "Traceback" not in run[1].stderr


@pytest.mark.slow
def test_two_ranks_stopped_by_a_signal_to_one_of_them_go_on_bit_for_bit(run, tmp_path):
    process = train(tmp_path, 10_000, "resume=auto")  # never reached
    rows = tmp_path / "run" / "metrics.csv"
    while not rows.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    stopped = end(process)
    assert stopped.returncode == 143, stopped.stderr
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    assert WARMUP < torch.load(path, weights_only=True)["env_steps"] < 10_000
    total = 400
    assert end(train(tmp_path, total, "resume=auto")).returncode == 0
    (tmp_path / "whole").mkdir()
    assert end(train(tmp_path / "whole", total)).returncode == 0
    split, whole = (torch.load(folder / "rank1.pt", weights_only=True) for folder in (tmp_path, tmp_path / "whole"))
    assert split["updates"] == whole["updates"]
    assert torch.equal(split["rows"], whole["rows"])
    assert all(torch.equal(value, whole["weights"][name]) for name, value in split["weights"].items())


@pytest.mark.slow
def test_statistics_of_categorical_critics_are_those_of_both_ranks(tmp_path):
    done = end(train(tmp_path, TOTAL, "experiment=pendulum_zeros", "critic=categorical"))
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True)["weights"] for rank in range(WORLD))
    assert first["critic.reward_scale.count"] == TOTAL
    assert first["critic.reward_scale.largest"] > 1 and first["critic.norms.0.mean"].any()
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, atol=1e-6, rtol=1e-6)
