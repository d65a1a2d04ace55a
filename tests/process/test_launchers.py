import pytest

from qtrl.process.launchers import RANKS, stray_ranks
from qtrl.process.moment import moment


@pytest.mark.parametrize(("command", "found"), [("train", ["SLURM_PROCID"]), ("eval", ["RANK", "SLURM_PROCID"])])
def test_ranks_count_for_training_alone_and_if_they_are_numbers(command, found, monkeypatch):
    for name in RANKS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("SLURM_PROCID", "none")
    assert list(stray_ranks(command)) == found


def test_moments_are_names_of_their_own():
    assert len({moment() for _ in range(100)}) > 1
    assert moment()[8] == moment()[15] == "-"
