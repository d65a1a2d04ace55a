import csv
import json
import shutil
import warnings

import pytest
import torch
import yaml

from qtrl.analysis.drawing.learning_curve import draw_learning_curve
from qtrl.keys import METRICS, PURPOSES, probe_metrics

pytestmark = pytest.mark.filterwarnings("default")
CANARIES = {"WANDB_API_KEY": "f00dcafe" * 5, "MY_SECRET_TOKEN": "canary-that-must-not-sing"}
SMOKE = ("experiment=paper/pendulum_pqc", "debug=smoke", "callbacks.test_max_episode_steps=20")
ZEROS = ("experiment=pendulum_zeros", "debug=smoke", "logger=csv", "callbacks.test_max_episode_steps=5")
ZEROS += ("actor.hidden=16", "critic.hidden=16", "callbacks.probe_every_env_steps=null")
"""A run of a second, where the block does not matter."""


@pytest.fixture(scope="module")
def run(train, tmp_path_factory):
    """The folder of a smoke run with W&B, secrets in its environment."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("default")
        for name, value in CANARIES.items():
            patch.setenv(name, value)
        patch.setattr("qtrl.tasks.rl.draw_learning_curve", draw_learning_curve)
        assert train(*SMOKE, f"run_dir={folder}") == 0
    return folder


@pytest.fixture
def copy_of_run(run, tmp_path):
    shutil.copytree(run, tmp_path / "copy", symlinks=True)
    return tmp_path / "copy"


def rows_of(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def checkpoint_of(folder, name="last"):
    return torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)


def test_it_holds_what_the_design_promises(run):
    found = {path.name for path in run.iterdir()}
    assert found == {"config.yaml", "metrics.csv", "summary.json", "checkpoints", "wandb", "learning_curve.png"}
    assert {path.name for path in (run / "checkpoints").iterdir()} == {
        "best.ckpt",
        "last.ckpt",
        "last.ckpt.prev",
        "replay",
    }
    assert not list(run.rglob("*.part"))
    assert (run / "learning_curve.png").read_bytes().startswith(b"\x89PNG")


def test_its_config_is_plain_and_complete(run):
    text = (run / "config.yaml").read_text()
    cfg = yaml.safe_load(text)
    assert "${" not in text
    assert (cfg["experiment"], cfg["run_dir"], cfg["total_env_steps"]) == ("paper/pendulum_pqc", str(run), 100)
    assert cfg["block"]["circuit"] == cfg["circuit"]
    assert cfg["block"]["engine"]["_target_"] == "qtrl.quantum.engines.AutoEngine"


def test_its_metrics_begin_with_env_steps_and_miss_nothing(run):
    rows = rows_of(run)
    assert list(rows[0]) == [*METRICS, *probe_metrics({"quantum": 5})]
    assert METRICS[0] == "env_steps"
    steps = [int(row["env_steps"]) for row in rows]
    assert steps == sorted(steps)
    assert steps[-1] == 100
    filled = {name for row in rows for name, cell in row.items() if cell}
    assert set(METRICS) - filled <= {"train/return", "train/episode_length", "test/gap"}  # no episode ends in 100 steps
    assert all(int(row["updates"]) == int(row["env_steps"]) - 50 for row in rows)


def test_its_summary_has_the_promised_keys(run):
    summary = json.loads((run / "summary.json").read_text())
    promised = "env_steps updates wall_seconds env_steps_per_second updates_per_second circuits shots return_mean"
    assert set(promised.split()) | {"return_std", "return_per_episode", "status", "git_commit"} <= set(summary)
    assert (summary["status"], summary["env_steps"], summary["updates"]) == ("complete", 100, 50)
    assert summary["gflop_per_update"] > 0
    assert set(summary["time_to_level"]) == {"-500", "-250", "-150"}
    probe = {"circuits": 6 * 16, "shots": 100 * 16}  # probabilities, expectations, means, Jacobian, gradient; the block
    expected = {"collect": 100, "fit": 0, "target": 0, "actor": 0, "probe": probe["circuits"], "test": 20}
    assert summary["circuits_by_purpose"] == expected
    assert summary["shots_by_purpose"] == {name: 100 * n for name, n in expected.items()} | {"probe": probe["shots"]}
    assert summary["circuits"] == sum(expected.values())
    assert summary["shots"] == sum(summary["shots_by_purpose"].values())
    assert summary["parameter_shift_circuits"] == 50 * 16 + 25 * 16 * (1 + 2 * 40)
    seconds = summary["circuit_seconds_by_purpose"]
    assert {purpose for purpose in PURPOSES if seconds[purpose] > 0} == {"collect", "probe", "test"}
    assert summary["circuit_seconds"] == pytest.approx(sum(seconds.values()))
    assert seconds["collect"] < summary["seconds"]["policy"]
    assert seconds["test"] < summary["seconds"]["test"]
    assert summary["env_steps_per_second"] == pytest.approx(50 / summary["learning_seconds"])
    assert summary["updates_per_second"] == pytest.approx(50 / summary["learning_seconds"])
    assert len(summary["return_per_episode"]) == 1
    assert summary["versions"]["torch"] == torch.__version__.partition("+")[0]


@pytest.mark.parametrize("name", ["last", "best"])
def test_its_checkpoints_load_as_plain_data(run, name):
    checkpoint = checkpoint_of(run, name)
    assert (checkpoint["env_steps"], checkpoint["updates"]) == (100, 50)
    assert type(checkpoint["env_steps"]) is type(checkpoint["updates"]) is int
    assert "state_dict" in checkpoint


def test_no_secret_is_in_it(run):
    files = [path for path in run.rglob("*") if path.is_file()]
    assert any("wandb" in path.parts for path in files)
    for path in files:
        data = path.read_bytes()
        for canary in CANARIES.values():
            assert canary.encode() not in data, path


def test_wandb_was_offline_although_a_key_was_there(run):
    assert len(list((run / "wandb").glob("offline-run-*/run-*.wandb"))) == 1


def test_resume_goes_on_with_counters_rows_and_checkpoints(copy_of_run, train):
    before = rows_of(copy_of_run)
    assert train("resume=true", f"run_dir={copy_of_run}", "total_env_steps=130") == 0
    after = rows_of(copy_of_run)
    assert after[: len(before)] == before
    steps = [int(row["env_steps"]) for row in after]
    assert steps == sorted(steps)
    assert steps[-1] == 130
    checkpoint = checkpoint_of(copy_of_run)
    assert (checkpoint["env_steps"], checkpoint["updates"]) == (130, 80)
    stream = checkpoint["loops"]["fit_loop"]["state_dict"]["combined_loader"][0]
    assert (stream["env_steps"], stream["ranks"][0]["replay"]["written"]) == (130, 130)
    summary = json.loads((copy_of_run / "summary.json").read_text())
    assert (summary["env_steps"], summary["updates"], summary["circuits"]) == (130, 80, 130 + 2 * (20 + 6 * 16))
    ids = {path.name.rpartition("-")[2] for path in (copy_of_run / "wandb").glob("offline-run-*")}
    assert ids == {(copy_of_run / "wandb" / "run_id.txt").read_text()}
    assert yaml.safe_load((copy_of_run / "config.yaml").read_text())["total_env_steps"] == 130


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["seed=1"], ["seed cannot change from 0 to 1", "total_env_steps", "resume_force=true"]),
        (["algo.tau=0.5"], ["algo.tau cannot change from 0.005 to 0.5"]),
        (["block=fc"], ["block._target_ cannot change from 'qtrl.nn.PQC' to 'qtrl.nn.FC'"]),
        (["block=fc", "resume_force=true"], ["belongs to another architecture"]),
        (["total_env_steps=99"], ["total_env_steps=99 is below the 100 env steps already made"]),
        (["total_env_steps=10"], ["warmup_env_steps=50", "total_env_steps=10"]),
        (["circuit.reps=1", "resume_force=true"], ["belongs to another architecture"]),
    ],
)
def test_a_resume_that_changes_the_run_is_refused(run, train, capsys, overrides, words):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    status = train("resume=true", f"run_dir={run}", *overrides)
    lines = capsys.readouterr().err.strip().splitlines()
    assert (status, len(lines)) == (2, 1)
    assert all(word in lines[0] for word in words), lines
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_the_documented_way_on_after_a_divergence(copy_of_run, train):
    line = (f"run_dir={copy_of_run}", "resume=true", "resume_force=true", "algo.critic_optimizer.lr=1e-4")
    assert train(*line, "total_env_steps=110") == 0
    rates = [state["param_groups"][0]["lr"] for state in checkpoint_of(copy_of_run)["optimizer_states"]]
    assert rates.count(1e-4) == 1


def test_a_run_with_another_optimizer_goes_on(train, tmp_path):
    mine = "algo.actor_optimizer._target_=torch.optim.NAdam"
    assert train(*ZEROS, mine, f"run_dir={tmp_path / 'run'}") == 0
    trust = "trust=[torch.optim.NAdam]"
    assert train(f"run_dir={tmp_path / 'run'}", "resume=true", trust, "total_env_steps=110") == 0
    assert checkpoint_of(tmp_path / "run")["updates"] == 60


def test_of_a_damaged_checkpoint_the_previous_one_is_taken_and_that_is_told(copy_of_run, train, evaluate, capsys):
    path = copy_of_run / "checkpoints" / "last.ckpt"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    line = f"qtrl: {path} is damaged: its checksum does not match; last.ckpt.prev is taken instead\n"
    assert evaluate(f"run={copy_of_run}", "episodes=1") == 0
    assert (capsys.readouterr().err, path.read_bytes()) == (line, data)
    assert train("resume=true", f"run_dir={copy_of_run}", "total_env_steps=110") == 0
    assert capsys.readouterr().err == line
    assert path.with_name("last.ckpt.damaged").read_bytes() == data
    assert checkpoint_of(copy_of_run)["updates"] == 60


def test_evaluation_reads_it_and_repeats(run, evaluate, capsys):
    arguments = (f"run={run}", "episodes=2", "seed=3", "checkpoint=best", "shots=7", "engine=statevector")
    assert evaluate(*arguments) == 0
    (path,) = (run / "eval").iterdir()
    first = json.loads(path.read_text())
    path.unlink()
    assert evaluate(*arguments) == 0
    (path,) = (run / "eval").iterdir()
    assert json.loads(path.read_text()) == first
    shutil.rmtree(run / "eval")
    promised = "return_mean return_std return_per_episode episodes seed engine shots checkpoint env_steps env_id"
    assert set(promised.split()) <= set(first)
    assert (first["episodes"], first["seed"], first["shots"], first["checkpoint"]) == (2, 3, 7, "best")
    assert (first["engine"], first["env_steps"], first["env_id"]) == ("statevector", 100, "Pendulum-v1")
    assert first["return_mean"] == pytest.approx(sum(first["return_per_episode"]) / 2)
    assert "over 2 episodes at 100 env steps" in capsys.readouterr().out


def test_a_forced_resume_may_change_engine_and_circuit_settings(copy_of_run, train):
    forced = ("resume_force=true", "engine=reference", "block.shots=3", "algo.tau=0.5")
    assert train("resume=true", f"run_dir={copy_of_run}", "total_env_steps=110", *forced) == 0
    cfg = yaml.safe_load((copy_of_run / "config.yaml").read_text())
    assert cfg["block"]["engine"] == {"_target_": "qtrl.quantum.engines.ReferenceEngine"}
    assert (cfg["block"]["shots"], cfg["algo"]["tau"]) == (3, 0.5)
    summary = json.loads((copy_of_run / "summary.json").read_text())
    assert summary["shots_by_purpose"]["collect"] == 100 * 100 + 3 * 10
    assert summary["shots_by_purpose"]["test"] == 100 * 20 + 3 * 20


def test_weights_of_another_run_are_a_start(run, train, tmp_path):
    path = run / "checkpoints" / "best.ckpt"
    still = ("algo.actor_optimizer.lr=0", "algo.critic_optimizer.lr=0", "algo.surrogate_optimizer.lr=0", "algo.tau=1")
    folder = tmp_path / "run"
    assert train(*SMOKE, "logger=csv", *still, f"ckpt_path={path}", f"run_dir={folder}", "seed=5") == 0
    old, new = checkpoint_of(run, "best"), checkpoint_of(folder)
    assert new["updates"] == 50
    for name, value in old["state_dict"].items():
        if "target" not in name and ".norm." not in name:  # the statistics go on with every observation
            assert torch.equal(new["state_dict"][name], value)


def test_without_a_run_dir_a_new_folder_is_made_where_the_command_was_called(train, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert train(*ZEROS) == 0
    assert list(tmp_path.iterdir()) == [tmp_path / "runs"]
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("pendulum_zeros-s0-")


def test_checkpoints_can_leave_the_replay_out(train, tmp_path):
    folder = tmp_path / "run"
    assert train(*ZEROS, "checkpoint_replay=none", f"run_dir={folder}") == 0
    assert not (folder / "checkpoints" / "replay" / "rank0").exists()
    assert train("resume=true", f"run_dir={folder}", "total_env_steps=170") == 0
    checkpoint = checkpoint_of(folder)
    assert (checkpoint["env_steps"], checkpoint["updates"]) == (170, 50 + 20)


def test_mapped_replay_is_resumed_in_place(train, tmp_path):
    folder = tmp_path / "run"
    assert train(*ZEROS, "data.storage=memmap", f"run_dir={folder}") == 0
    assert train("resume=true", f"run_dir={folder}", "total_env_steps=120") == 0
    path = folder / "checkpoints" / "replay" / "rank0" / "next.reward.bin"
    rewards = torch.from_file(str(path), size=1000)
    assert rewards.count_nonzero() == 120


def test_a_run_that_diverges_says_so_and_keeps_its_folder(train, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("qtrl.algos.update_networks.critic_loss", lambda q1, *rest: q1.mean() * float("nan"))
    folder = tmp_path / "run"
    assert train(*ZEROS, f"run_dir={folder}") == 2
    err = capsys.readouterr().err
    assert "qtrl: critic loss became nan at env step 51, update 1" in err
    assert "Traceback" not in err
    assert json.loads((folder / "summary.json").read_text())["status"].startswith("DivergenceError: critic loss")
    assert not (folder / "checkpoints" / "last.ckpt").exists()


@pytest.mark.usefixtures("toy_envs")
def test_numbers_of_info_are_metrics_of_training_and_tests(train, evaluate, tmp_path):
    folder, env = tmp_path / "run", "toy_envs:Counting-v0"
    asked = (f"env.id={env}", "callbacks.log_info=[is_success,count,absent]", "callbacks.log_every_env_steps=20")
    assert train(*ZEROS, *asked, f"run_dir={folder}") == 0
    rows = rows_of(folder)
    found = {name for name in rows[0] if "/info/" in name}
    assert found == {f"{kind}/info/{name}" for kind in ("train", "test") for name in ("is_success", "count", "absent")}
    learning, test = (next(row for row in rows if row[f"{kind}/info/count"]) for kind in ("train", "test"))
    assert 0 < float(learning["train/info/is_success"]) <= 1 < float(learning["train/info/count"]) < 4
    assert test["test/info/count"] and not any(row["test/info/absent"] for row in rows)
    info = json.loads((folder / "summary.json").read_text())["info"]
    assert info.keys() == {"is_success", "count"}
    assert evaluate(f"run={folder}", "episodes=3", f"trust=[{env}]") == 0
    tested = json.loads(next((folder / "eval").glob("*.json")).read_text())
    assert tested["info"].keys() == {"is_success", "count"}


def test_several_loggers_get_the_same_rows(train, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = tmp_path / "run"
    others = [override for override in ZEROS if override != "logger=csv"]
    assert train(*others, "logger=[csv,wandb,tensorboard]", f"run_dir={folder}") == 0
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    rows = [row for row in rows_of(folder) if row["test/return_mean"]]
    shown = [(event.step, pytest.approx(event.value)) for event in events.Scalars("test/return_mean")]
    assert [(int(row["env_steps"]), float(row["test/return_mean"])) for row in rows] == shown
    assert list((folder / "wandb").glob("offline-run-*"))
