import time

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
    together = ledger.over_ranks(3)
    assert (dict(together.circuits), dict(together.shots)) == ({"fit": 12, "test": 3}, {"fit": 120, "test": 30})
    assert ledger.total() == Cost(7, 70)


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
    meters.stopwatch.seconds["env"] = 1.5
    back.ledger.load_state_dict(meters.ledger.state_dict())
    back.stopwatch.load_state_dict(meters.stopwatch.state_dict())
    assert back == RunMeters(back.stopwatch, meters.ledger)
    assert back.stopwatch.seconds == {"env": 1.5}
    assert back.stopwatch.seconds["new"] == 0
