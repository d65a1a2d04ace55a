import io
import json
import re
import statistics
import sys

import pytest
import torch
from rich.console import Console

from qtrl import callbacks as callbacks_package
from qtrl.callbacks import AtomicCheckpointIO, Checkpoints, MetricRows, RunProgress, RunSummary, TestResult, play
from qtrl.callbacks import progress as progress_module
from qtrl.files.checkpoint import read_checkpoint
from qtrl.process.stopping import Interruption

Periodic, start_seeds = callbacks_package.Testing, callbacks_package.test_seeds  # pytest would collect their own names
ENV, LIMIT = "Pendulum-v1", 7

LENGTHS = {"total_env_steps": 30, "warmup_env_steps": 10}


def test_tests_come_when_due_and_at_the_end(small_run):
    run = small_run(lambda testing: [testing], total=35)
    assert [row["env_steps"] for row in run.rows] == [11, 20, 30, 35]  # 10 was passed in warm-up
    for row in run.rows:
        assert row["test/episode_length"] == LIMIT
        assert row["updates"] == row["env_steps"] - 10
    returns = [row["test/return_mean"] for row in run.rows]
    assert [row["test/best_return"] for row in run.rows] == [max(returns[: i + 1]) for i in range(4)]
    assert run.testing.last.env_steps == 35
    assert run.testing.best.return_mean == max(returns)
    assert run.module.meters.ledger.circuits["test"] == 4 * 2 * LIMIT
    assert run.module.meters.stopwatch.seconds["test"] > 0


def test_a_test_at_the_last_step_is_not_made_twice(small_run):
    assert [row["env_steps"] for row in small_run(lambda testing: [testing]).rows] == [11, 20, 30]


def test_equal_weights_give_equal_tests(small_run):
    module = small_run(lambda testing: [testing]).module
    first, again, other = (
        play(module.actor, ENV, start_seeds(3), shots_seed=seed, max_episode_steps=20) for seed in (0, 0, 1)
    )
    assert first.returns == again.returns
    assert first.returns != other.returns
    assert list(start_seeds(3)) == [10_000, 10_001, 10_002]
    assert list(start_seeds(2, first=5)) == [5, 6]


def test_tests_leave_training_as_it_is(small_run):
    with_tests = small_run(lambda testing: [testing], every=5).module.state_dict()
    without = small_run(lambda testing: []).module.state_dict()
    assert all(torch.equal(value, without[name]) for name, value in with_tests.items())


def test_results_are_means_over_episodes_and_survive_a_checkpoint():
    result = TestResult(5, (1.0, 3.0, 8.0), (2, 3, 4))
    assert result.return_mean == 4.0
    assert result.return_std == pytest.approx(statistics.pstdev([1, 3, 8]))
    testing, back = (Periodic(ENV, episodes=1, every_env_steps=1, seed=0) for _ in range(2))
    back.load_state_dict(testing.state_dict())
    assert (back.last, back.best) == (None, None)
    best = TestResult(4, (9.0,) * 3, (1,) * 3)
    for one in (best, result):
        testing.add(one)
    assert (testing.last, testing.best) == (result, best)
    assert testing.recent == {4: 9.0, 5: 4.0}
    assert testing.recent_mean == 6.5
    back.load_state_dict(testing.state_dict())
    assert (back.last, back.best) == (testing.last, testing.best)


def test_a_longer_test_at_the_end_is_neither_best_nor_recent_unless_it_is_the_only_one():
    history, long = callbacks_package.TestHistory(), TestResult(6, (99.0,) * 100, (1,) * 100)
    for result in (TestResult(5, (1.0, 3.0), (1, 1)), long):
        history.add(result)
    assert history.last is long
    assert (history.best.return_mean, history.recent, history.recent_mean) == (2.0, {5: 2.0}, 2.0)
    alone = callbacks_package.TestHistory()
    alone.add(long)
    assert (alone.best, alone.recent) == (long, {6: 99.0})


class Told(Periodic):
    """Returns what it was told to at each test."""

    def __init__(self, returns):
        super().__init__(ENV, episodes=1, every_env_steps=5, seed=0)
        self.returns = iter(returns)

    def _test(self, trainer, module, seeds):
        self.add(TestResult(module.env_steps, (next(self.returns),), (1,)))


def test_best_is_saved_once_for_each_improvement_and_last_when_due(small_run, tmp_path, monkeypatch):
    saved, save = [], AtomicCheckpointIO.save_checkpoint

    def record(self, checkpoint, path, storage_options=None):
        saved.append((path.name, checkpoint["env_steps"]))
        save(self, checkpoint, path, storage_options)

    monkeypatch.setattr(AtomicCheckpointIO, "save_checkpoint", record)
    told = Told([1.0, 0.5, 0.7, 2.0, 2.0])  # at 11, 15, 20, 25, 30
    small_run(lambda _: [told, Checkpoints(tmp_path, told, every_env_steps=10)])
    assert [step for name, step in saved if name == "best.ckpt"] == [11, 25]
    assert {step for name, step in saved if name == "last.ckpt"} == {11, 20, 30}
    assert read_checkpoint(tmp_path / "best.ckpt")["env_steps"] == 25
    assert read_checkpoint(tmp_path / "best.ckpt.prev")["env_steps"] == 11
    assert read_checkpoint(tmp_path / "last.ckpt")["env_steps"] == 30


@pytest.mark.parametrize("error", [Interruption(15), KeyboardInterrupt(), SystemExit(), RuntimeError()])
def test_a_stopped_run_saves_what_it_has_and_a_broken_one_does_not(small_run, tmp_path, monkeypatch, error):
    def stop(env_steps):
        if env_steps == 25:
            raise error

    def progress(testing):
        callback = RunProgress(testing, total_env_steps=30, warmup_env_steps=10)
        monkeypatch.setattr(callback, "_advance", stop)
        return callback

    summary = tmp_path / "summary.json"
    callbacks = lambda testing: [  # noqa: E731
        progress(testing),
        Checkpoints(tmp_path, testing, every_env_steps=20),
        RunSummary(summary, testing, **LENGTHS, facts={}),
    ]
    with pytest.raises((SystemExit, RuntimeError)):
        small_run(callbacks)
    expected = 24 if isinstance(error, Interruption) else 20
    assert read_checkpoint(tmp_path / "last.ckpt")["env_steps"] == expected
    assert json.loads(summary.read_text())["status"] == (
        "Interruption: SIGTERM" if expected == 24 else type(error).__name__
    )


def test_rows_hold_counts_returns_losses_and_times(small_run):
    run = small_run(lambda testing: [MetricRows(every_env_steps=10)])
    assert [row["env_steps"] for row in run.rows] == [11, 20, 30]
    last = run.rows[-1]
    assert last["updates"] == 20
    assert (last["quantum/circuits"], last["quantum/shots"]) == (30, 3000)
    assert (last["quantum/circuits/collect"], last["quantum/shots/collect"]) == (30, 3000)
    assert 0 < last["quantum/seconds/collect"] == last["quantum/seconds"] < last["time/policy"]
    assert {last[f"quantum/{name}/fit"] for name in ("circuits", "shots", "seconds")} == {0}
    assert last["quantum/parameter_shift_circuits"] == 20 * 16 + 10 * 16 * (1 + 2 * 8)
    assert last["train/episodes"] == 5
    assert last["train/episode_length"] == 6
    assert -17 * 6 < last["train/return"] < 0
    for name in ("loss/critic", "loss/actor", "train/q1", "train/q2", "train/target_q", "surrogate/bce_before"):
        assert type(last[name]) is float
    assert last["time/total"] > sum(last[f"time/{part}"] for part in ("surrogate", "critic", "actor")) > 0
    assert last["time/updates_per_second"] == pytest.approx(last["time/env_steps_per_second"])


def test_the_last_row_is_written_where_none_was_due(small_run):
    run = small_run(lambda testing: [MetricRows(every_env_steps=100)])
    assert [row["env_steps"] for row in run.rows] == [30]


def test_summary_of_a_complete_run(small_run, tmp_path):
    path = tmp_path / "summary.json"
    run = small_run(lambda testing: [testing, RunSummary(path, testing, **LENGTHS, facts={"seed": 0})])
    summary = json.loads(path.read_text())
    assert run.logger.summary == summary
    assert (summary["status"], summary["seed"]) == ("complete", 0)
    assert (summary["env_steps"], summary["updates"], summary["world_size"]) == (30, 20, 1)
    assert summary["circuits"] == 30 + 3 * 2 * LIMIT
    assert summary["shots"] == 100 * summary["circuits"]
    assert summary["circuits_by_purpose"]["test"] == 3 * 2 * LIMIT
    assert summary["shots_by_purpose"]["collect"] == 3000
    assert 0 < summary["circuit_seconds_by_purpose"]["test"] < summary["seconds"]["test"]
    assert summary["parameter_shift_circuits"] == 20 * 16 + 10 * 16 * (1 + 2 * 8)
    assert summary["return_per_episode"] == list(run.testing.last.returns)
    assert summary["return_mean"] == pytest.approx(statistics.fmean(run.testing.last.returns))
    assert summary["best_return_mean"] == run.testing.best.return_mean
    assert summary["env_steps_per_second"] == pytest.approx(20 / summary["learning_seconds"])
    parts = ("env", "policy", "replay", "surrogate", "critic", "actor")
    assert 0 < sum(summary["seconds"][part] for part in parts) < summary["wall_seconds"]


def test_time_of_tests_does_not_count_as_learning(small_run, tmp_path):
    path = tmp_path / "summary.json"
    small_run(lambda testing: [testing, RunSummary(path, testing, **LENGTHS, facts={})], every=1)
    summary = json.loads(path.read_text())
    parts = sum(summary["seconds"][part] for part in ("env", "policy", "replay", "surrogate", "critic", "actor"))
    assert summary["seconds"]["test"] > 0
    assert 0 < summary["learning_seconds"] < 2 * parts


def progress_of(testing):
    return [testing, RunProgress(testing, total_env_steps=30, warmup_env_steps=10)]


def test_without_a_terminal_a_line_tells_now_and_then(small_run, capsys, monkeypatch):
    monkeypatch.setattr(progress_module, "SECONDS_BETWEEN_LINES", 0.0)
    small_run(progress_of)
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 30
    assert re.fullmatch(r"qtrl: 5 of 30 env steps, warm-up, \d+ env steps/s", lines[4])
    assert re.fullmatch(r"qtrl: 25 of 30 env steps, return -\d+, test -\d+, \d+ env steps/s, \d+ s left", lines[24])


def test_lines_are_rare(small_run, capsys):
    small_run(progress_of)
    assert capsys.readouterr().err == ""


def test_on_a_terminal_a_bar_tells(small_run, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    terminal = Console(file=screen, force_terminal=True, width=120)
    monkeypatch.setattr(progress_module, "Console", lambda stderr: terminal)
    run = small_run(progress_of)
    assert run.module.updates == 20
    text = screen.getvalue()
    assert "30/30" in text
    assert "env steps/s" in text
    assert "test -" in text


def test_a_terminal_that_moves_no_cursor_gets_lines(small_run, capsys, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(progress_module, "SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    small_run(progress_of)
    assert capsys.readouterr().err.count("qtrl: ") == 30
