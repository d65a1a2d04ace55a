import os

import pytest
import torch

from qtrl.process.threads import set_threads


@pytest.fixture(autouse=True)
def as_before():
    count = torch.get_num_threads()
    yield
    torch.set_num_threads(count)


@pytest.mark.parametrize(
    ("variable", "asked", "expected"), [("3", None, 3), ("2,4", None, 2), (" 1 ", None, 1), ("3", 2, 2), ("all", 1, 1)]
)
def test_threads_are_those_asked_for(variable, asked, expected, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert set_threads(asked, 1) == torch.get_num_threads() == expected


@pytest.mark.parametrize("variable", ["", "0", "all", "-1", "1.5"])
def test_a_variable_that_says_no_number_leaves_the_cores(variable, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert set_threads(None, 10**6) == 1
    assert set_threads(None, 1) == len(os.sched_getaffinity(0))
