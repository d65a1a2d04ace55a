import time
from types import SimpleNamespace

import pytest

from qtrl.meters import Cost, Ledger, RunMeters, Stopwatch


def test_ledger_sums_by_purpose_and_over_all():
    ledger = Ledger()
    ledger.add("collect", Cost(2, 200))
    ledger.add("collect", Cost(1, 100))
    ledger.add("test", Cost(5))
    assert dict(ledger.circuits) == {"collect": 3, "test": 5}
    assert ledger.total() == Cost(8, 300)


def test_every_rank_collects_and_learns_but_one_tests():
    ledger = Ledger()
    ledger.add("fit", Cost(4, 40))
    ledger.add("test", Cost(3, 30))
    ledger.add("probe", Cost(1, 0))
    ledger.seconds["fit"], ledger.parameter_shift_circuits = 2.5, 7
    together = ledger.over_ranks(3)
    assert dict(together.circuits) == {"fit": 12, "test": 3, "probe": 1}
    assert dict(together.shots) == {"fit": 120, "test": 30, "probe": 0}
    assert together.seconds == {"fit": 2.5}  # ranks run side by side
    assert together.parameter_shift_circuits == 21
    assert ledger.total() == Cost(8, 70)


def test_seconds_of_a_source_are_booked_by_purpose_also_where_a_call_fails():
    ledger, source = Ledger(), SimpleNamespace(seconds=10.0)
    with ledger.timed("fit", source):
        source.seconds += 1.5
    with pytest.raises(KeyError), ledger.timed("actor", source):
        source.seconds += 2.0
        raise KeyError
    with ledger.timed("fit", source):
        source.seconds += 0.5
    assert ledger.seconds == {"fit": 2.0, "actor": 2.0}


def test_the_wall_time_of_a_run_is_that_of_its_phases():
    meters = RunMeters()
    meters.stopwatch.seconds.update(warmup=1.0, learning=2.0, test=4.0, probe=8.0, actor=1.5)
    assert meters.wall_seconds() == 15.0


def test_stopwatch_adds_up_also_where_a_section_fails():
    stopwatch = Stopwatch()
    for _ in range(2):
        with pytest.raises(KeyError), stopwatch.section("env"):
            time.sleep(0.01)
            raise KeyError
    assert 0.02 <= stopwatch.seconds["env"] < 1
    assert stopwatch.seconds["never"] == 0


def test_meters_come_back_from_plain_data():
    meters, back = RunMeters(), RunMeters()
    meters.ledger.add("fit", Cost(1, 2))
    meters.ledger.seconds["fit"], meters.ledger.parameter_shift_circuits = 0.5, 3
    meters.stopwatch.seconds["env"] = 1.5
    back.ledger.load_state_dict(meters.ledger.state_dict())
    back.stopwatch.load_state_dict(meters.stopwatch.state_dict())
    assert back == RunMeters(back.stopwatch, meters.ledger)
    assert back.stopwatch.seconds == {"env": 1.5}
    assert back.stopwatch.seconds["new"] == 0
