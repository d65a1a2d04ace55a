import pytest
from contenders import AS_IT_COMES, CONTENDERS, SB3, WITH_SPIN, Clock, Task
from contenders.cleanrl_style import Agent
from contenders.cleanrl_style import run as run_cleanrl_style
from contenders.qtrl_command import overrides
from side_by_side_picture import draw
from side_by_side_report import PQC, best_cells, page, ratio, verdict

RATES = {(SB3, AS_IT_COMES): (10, 40, 20), (SB3, WITH_SPIN): (5, 50, 15), (PQC, AS_IT_COMES): (20, 40, 30)}
CONDITIONS = {"command": "c", "date": "d", "machine": "m", "cores": 2, "threads": 2, "git_commit": "g", "versions": {}}
TINY = Task(envs=2, measured=8, skipped=4, warmup=10, env_id="Pendulum-v1", batch=4, capacity=50, hidden=8)


@pytest.fixture
def record():
    runs = []
    for (name, variant), rates in RATES.items():
        about = {"contender": name, "variant": variant, "envs": 1, "peak_megabytes": 900.0, "replay_megabytes": 300.0}
        runs += [about | {"round": turn, "env_steps_per_second": rate} for turn, rate in enumerate(rates)]
    how = {name: "how" for name in (SB3, PQC)}
    load = {"load_average_before": [0.0], "load_average_after": [0.0]}
    return CONDITIONS | load | {"task": vars(Task()), "how": how, "gflops": [100.0] * 3, "runs": runs}


def test_the_faster_variant_counts_and_ratios_are_taken_within_each_round(record):
    cells = best_cells(record)
    assert cells[SB3, 1].variant == AS_IT_COMES
    assert cells[SB3, 1].quartiles == (15, 20, 30)
    assert ratio(cells, PQC, 1) == 1.5  # of 2, 1 and 1.5
    assert ratio({(PQC, 1): cells[PQC, 1]}, PQC, 1) is None


@pytest.mark.parametrize(("value", "words"), [(1.5, "met"), (1.3, "floor met, target not"), (1.19, "not met")])
def test_the_verdict_follows_from_the_number(value, words):
    assert verdict(value, 1.5, 1.2) == words


def test_page_and_picture_are_made_of_the_record(record, tmp_path):
    assert "| `humanoid_pqc`, 1 env | 1.5 | 1.2 | 1.50 | met |" in page(record)
    draw(record, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 1000


def test_the_clock_times_whole_steps_between_the_first_ticks_at_its_edges(monkeypatch):
    clock = Clock(Task(measured=8, skipped=4, warmup=10))
    for env_steps in range(3, 40, 3):
        monkeypatch.setattr("contenders.task.time.perf_counter", lambda at=env_steps: 0.5 * at)
        clock.tick(env_steps)
    assert clock.result()["env_steps_per_second"] == 2  # from 15 to 24


def test_the_single_file_makes_one_update_for_each_env_step_after_warm_up(monkeypatch):
    updates = []
    update = Agent.update
    monkeypatch.setattr(Agent, "update", lambda self, rows: updates.append(update(self, rows)))
    clock = Clock(TINY)
    run_cleanrl_style(TINY, clock)
    assert len(updates) == TINY.total - TINY.warmup
    assert clock.result()["env_steps_per_second"] > 0


@pytest.mark.parametrize("name", [name for name in CONTENDERS if name.startswith("qtrl")])
def test_the_command_gets_the_task(name, compose, tmp_path):
    cfg = compose(*overrides(TINY, *CONTENDERS[name].arguments, tmp_path))
    assert (cfg.num_envs, cfg.data.batch_size, cfg.data.capacity, cfg.critic.hidden) == (2, 4, 50, 8)
    assert (cfg.warmup_env_steps, cfg.total_env_steps, cfg.updates_per_env_step) == (10, TINY.total, 1)
