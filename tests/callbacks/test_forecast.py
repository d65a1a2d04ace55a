import re
from types import SimpleNamespace

import pytest

from qtrl.callbacks import Forecast
from qtrl.callbacks import forecast as forecast_module
from qtrl.callbacks.forecast import duration
from qtrl.data import Schedule
from qtrl.meters import RunMeters


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (89, "89 s"), (600, "10 min"), (5000, "83 min"), (34_200, "9.5 h")]
)
def test_durations_have_the_unit_that_suits_them(seconds, said):
    assert duration(seconds) == said


def said_by(monkeypatch, capsys, *, steps, per_turn, updates, test_at=None, zero=True):
    """What a run says whose turns make `steps` env steps in 3 s, and `per_turn` updates of 1 s each."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(forecast_module.time, "monotonic", lambda: clock.now)
    module = SimpleNamespace(env_steps=0, updates=0, meters=RunMeters())
    callback = Forecast(total_env_steps=10_000, updates=updates, replay_bytes=lambda _: (2 * 10**9, 0))
    while module.updates < 150:
        clock.now, module.env_steps = clock.now + 3, module.env_steps + steps
        for _ in range(per_turn):
            clock.now, module.updates = clock.now + 1, module.updates + 1
            callback.on_train_batch_end(SimpleNamespace(is_global_zero=zero), module)
            if module.updates == test_at:
                clock.now += 1000
                module.meters.stopwatch.seconds["test"] += 1000
    return capsys.readouterr().out.strip().splitlines()


@pytest.mark.parametrize(
    ("steps", "per_turn", "first", "seconds"),
    [(1, 1, 100, 4 * (10_000 - 101)), (10, 1, 100, 0.4 * (10_000 - 1010)), (64, 64, 128, 67 / 64 * (10_000 - 192))],
)
@pytest.mark.parametrize("test_at", [None, 50])
def test_the_cost_of_a_run_is_said_once_from_whole_turns_without_tests(
    steps, per_turn, first, seconds, test_at, monkeypatch, capsys
):
    (line,) = said_by(monkeypatch, capsys, steps=steps, per_turn=per_turn, updates=9_000, test_at=test_at)
    found = re.fullmatch(
        r"qtrl: 10,000 env steps and 9,000 updates, (.*) to go at the speed of the first (\d+) .*", line
    )
    assert found.groups() == (duration(seconds), str(first))
    assert re.search(r"; 2 GB on disk, [\d.]+ GB of memory$", line)


def test_other_ranks_say_nothing(monkeypatch, capsys):
    assert said_by(monkeypatch, capsys, steps=1, per_turn=1, updates=9_000, zero=False) == []


@pytest.mark.parametrize(("rate", "steps", "updates"), [(1, 1, 90), (0.1, 1, 9), (2, 4, 176), (0.3, 7, 27)])
def test_the_updates_of_a_run_are_those_of_its_schedule(rate, steps, updates):
    assert Schedule(100, 10, rate).updates(steps) == updates
