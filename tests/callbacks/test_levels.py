import json

from qtrl.callbacks import RunSummary
from qtrl.callbacks.levels import Levels, Spent


def spent(env_steps):
    return Spent(env_steps, env_steps // 2, None, 1.0)


def test_a_level_keeps_what_was_spent_when_it_was_first_reached():
    levels = Levels([10, 20, 30])
    for env_steps, return_mean in ((100, 5.0), (200, 20.0), (300, 8.0), (400, 25.0)):
        levels.add(return_mean, spent(env_steps))
    reached = levels.summary()["time_to_level"]
    assert {level: at and at["env_steps"] for level, at in reached.items()} == {"10": 200, "20": 200, "30": None}
    assert reached["10"] == {"env_steps": 200, "updates": 100, "gflop": None, "wall_seconds": 1.0}


def test_a_run_that_goes_on_keeps_them_and_knows_no_others():
    before, after = Levels([10, 20]), Levels([10, 30])
    before.add(25.0, spent(100))
    after.load(before.summary()["time_to_level"])
    after.add(35.0, spent(200))
    reached = after.summary()["time_to_level"]
    assert {level: at["env_steps"] for level, at in reached.items()} == {"10": 100, "30": 200}


def test_the_summary_says_what_a_run_had_spent(small_run, tmp_path):
    path = tmp_path / "summary.json"
    run = small_run(
        lambda testing: [testing, RunSummary(path, testing, total_env_steps=30, warmup_env_steps=10, facts={})],
        test={"levels": [-1_000_000, 0.5]},
        before=lambda module, testing: module.meters.flops.__init__(updates=1, operations=2_000_000_000),
    )
    summary = json.loads(path.read_text())
    reached, first = summary["time_to_level"], run.rows[0]
    assert reached["0.5"] is None  # returns of Pendulum are below 0
    assert (reached["-1000000"]["env_steps"], reached["-1000000"]["updates"]) == (first["env_steps"], 1)
    assert reached["-1000000"]["gflop"] == summary["gflop_per_update"] == 2.0
    assert 0 < reached["-1000000"]["wall_seconds"] < summary["wall_seconds"]


def test_a_longer_test_at_the_end_does_not_count(small_run, tmp_path):
    path = tmp_path / "summary.json"
    small_run(
        lambda testing: [testing, RunSummary(path, testing, total_env_steps=30, warmup_env_steps=10, facts={})],
        every=1_000,
        test={"levels": [-1_000_000], "final_episodes": 3},
    )
    assert json.loads(path.read_text())["time_to_level"] == {"-1000000": None}
