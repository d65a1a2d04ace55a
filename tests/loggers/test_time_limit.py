import time

import pytest

from qtrl.loggers.time_limit import within


def test_within_gives_what_the_call_gives():
    assert within(1, lambda: 3) == 3
    with pytest.raises(KeyError):
        within(1, lambda: {}["a"])
    with pytest.raises(TimeoutError, match=r"no answer in 0\.01 s"):
        within(0.01, lambda: time.sleep(0.2))
