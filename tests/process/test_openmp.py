import itertools

import pytest

from qtrl.process import openmp


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine of some cores, on which so many threads are running, this one included; one number for each look."""

    def make(cores, running, may_use=None):
        numbers = itertools.cycle(running)
        monkeypatch.setattr(openmp.os, "cpu_count", lambda: cores)
        monkeypatch.setattr(openmp.os, "sched_getaffinity", lambda process: set(range(may_use or cores)))
        monkeypatch.setattr(openmp, "LOADAVG", tmp_path / "loadavg")
        monkeypatch.setattr(
            openmp.time, "sleep", lambda seconds: openmp.LOADAVG.write_text(f"0.5 0.4 0.3 {next(numbers)}/321 99\n")
        )

    return make


@pytest.mark.parametrize(
    ("cores", "running", "may_use", "expected"),
    [
        (2, [1], None, openmp.LONG),
        (2, [1, 1, 1, 2], None, openmp.LONG),  # a moment's work of somebody
        (2, [2], None, openmp.SHORT),
        (2, [5], None, openmp.SHORT),
        (16, [2], None, openmp.SHORT),  # all sixteen would be used
        (16, [3], 8, openmp.LONG),
        (16, [12], 8, openmp.SHORT),
    ],
)
def test_threads_spin_long_only_on_cores_that_nobody_else_wants(machine, cores, running, may_use, expected):
    machine(cores, running, may_use)
    assert openmp.spin_count() == expected


@pytest.mark.parametrize("text", [None, "", "not a loadavg"])
def test_threads_spin_shortly_where_the_machine_does_not_tell(monkeypatch, tmp_path, text):
    monkeypatch.setattr(openmp, "LOADAVG", tmp_path / "loadavg")
    if text is not None:
        openmp.LOADAVG.write_text(text)
    assert openmp.spin_count() == openmp.SHORT
