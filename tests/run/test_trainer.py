import json
from functools import partial
from types import SimpleNamespace

import pytest
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch import Trainer

from qtrl.callbacks import AtomicCheckpointIO
from qtrl.config.validation.trainer_flags import PROCESSES
from qtrl.process.launchers import HANDED_DOWN
from qtrl.run.trainer import make_trainer

ZEROS = ("experiment=pendulum_zeros", "debug=smoke", "logger=csv", "total_env_steps=60", "test_every_env_steps=60")
SLURM = {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "study", "SLURM_NTASKS": "4"}
LEFT_BEHIND = {
    "a launcher of ranks": {"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4", "NODE_RANK": "2", "MASTER_PORT": "x"},
    "torchrun": {
        **{"RANK": "1", "LOCAL_RANK": "1", "GROUP_RANK": "0", "LOCAL_WORLD_SIZE": "2", "WORLD_SIZE": "2"},
        **{"MASTER_ADDR": "nowhere", "MASTER_PORT": "1", "TORCHELASTIC_RUN_ID": "none"},
        "TORCHELASTIC_USE_AGENT_STORE": "True",
    },
    "one of the tasks of a SLURM job": {
        **{**SLURM, "SLURM_PROCID": "2"},
        **{"SLURM_LOCALID": "2", "SLURM_NODEID": "0", "SLURM_NNODES": "2"},
    },
    "parts of SLURM": {"SLURM_NTASKS": "8", "SLURM_NTASKS_PER_NODE": "8", "SLURM_PROCID": "5"},
    "an interactive shell of SLURM": {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "bash", "SLURM_NTASKS": "4"},
}


@pytest.mark.parametrize("left", LEFT_BEHIND)
def test_a_run_of_one_process_is_alone_whatever_launched_it(left, train, tmp_path, monkeypatch, capsys):
    for name, value in LEFT_BEHIND[left].items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(rank_zero_only, "rank", 3)  # what Lightning would read of RANK when it is imported
    assert train(*ZEROS, f"run_dir={tmp_path / 'run'}") == 0
    assert rank_zero_only.rank == 0
    output = capsys.readouterr()
    assert "test return" in output.out
    assert output.err == ""
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["world_size"] == 1


@pytest.mark.parametrize("left", LEFT_BEHIND)
def test_the_first_of_several_processes_starts_the_others_whatever_launched_it(left, tmp_path, monkeypatch):
    for name, value in LEFT_BEHIND[left].items():
        monkeypatch.setenv(name, value)
    trainer = make_trainer(ddp_settings(tmp_path), AtomicCheckpointIO())
    environment = trainer.strategy.cluster_environment
    assert (trainer.global_rank, trainer.world_size) == (rank_zero_only.rank, 2) == (0, 2)
    assert environment.main_address == "127.0.0.1" and environment.main_port > 1
    assert not environment.creates_processes_externally


def test_a_process_that_it_started_keeps_its_rank(tmp_path, monkeypatch):
    for name, value in {"LOCAL_RANK": "1", "SLURM_PROCID": "0", HANDED_DOWN: str(tmp_path), **SLURM}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(rank_zero_only, "rank", 0)  # which making the trainer changes
    trainer = make_trainer(ddp_settings(tmp_path), AtomicCheckpointIO())
    assert (trainer.global_rank, rank_zero_only.rank) == (1, 1)
    assert trainer.strategy.cluster_environment.creates_processes_externally


def ddp_settings(folder):
    flags = {"strategy": PROCESSES, "devices": 2, "accelerator": "cpu", "num_nodes": 1}
    return SimpleNamespace(trainer=partial(Trainer, **flags), run_dir=str(folder), deterministic=False)


def test_a_run_that_a_callback_ends_early_is_not_complete_and_can_be_gone_on_with(train, tmp_path, monkeypatch, capsys):
    (tmp_path / "ending.py").write_text(
        "from lightning.pytorch import Callback\n\n\nclass Ends(Callback):\n"
        "    def on_train_batch_end(self, trainer, *args):\n        trainer.should_stop = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    run = tmp_path / "run"
    assert train(*ZEROS, f"run_dir={run}", "+trainer.callbacks=[{_target_: ending.Ends}]") == 0
    done = json.loads((run / "summary.json").read_text())
    assert done["status"] == f"ended at env step {done['env_steps']} of 60"
    assert f"ended at env step {done['env_steps']} of 60, by trainer.max_time or a callback" in capsys.readouterr().out
    go_on = ("resume=auto", "resume_force=true", "trust=[ending.Ends]")
    assert train(*ZEROS, f"run_dir={run}", *go_on) == 0
    assert json.loads((run / "summary.json").read_text())["status"] == "complete"


def test_a_run_without_time_for_an_update_says_so(train, tmp_path, capsys):
    assert train(*ZEROS, f"run_dir={tmp_path / 'run'}", "+trainer.max_time=00:00:00:00") == 2
    assert "qtrl: trainer.max_time or a callback ended the run before its first update" in capsys.readouterr().err
