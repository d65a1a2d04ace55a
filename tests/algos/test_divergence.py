import pytest
import torch

from qtrl.algos import divergence
from qtrl.algos.divergence import DivergenceDetector
from qtrl.errors import DivergenceError

BAD = [float("nan"), float("inf"), float("-inf")]


class OnAccelerator(torch.Tensor):
    """A tensor that says that it lies elsewhere, and counts how often somebody waits for it."""

    looks = 0
    device = torch.device("meta")

    def tolist(self):
        type(self).looks += 1
        return super().tolist()


@pytest.mark.parametrize("bad", BAD)
def test_on_a_cpu_the_first_bad_loss_stops_and_says_where(bad):
    losses = DivergenceDetector(lambda: "at env step 7, update 3")
    losses.watch("critic loss", torch.tensor(1.0))
    with pytest.raises(
        DivergenceError, match=rf"critic loss became {bad} at env step 7, update 3; the last checkpoint"
    ):
        losses.watch("critic loss", torch.tensor(bad))


def test_on_an_accelerator_all_losses_are_waited_for_together_and_seldom(monkeypatch):
    monkeypatch.setattr(divergence, "CHECK_EVERY", 10)
    monkeypatch.setattr(OnAccelerator, "looks", 0)
    losses = DivergenceDetector(lambda: "here")
    for number in range(25):
        losses.watch(f"loss {number % 3}", torch.tensor(1.0).as_subclass(OnAccelerator))
    assert OnAccelerator.looks == 2


@pytest.mark.parametrize("bad", BAD)
def test_on_an_accelerator_a_bad_loss_stops_at_the_next_look(monkeypatch, bad):
    monkeypatch.setattr(divergence, "CHECK_EVERY", 10)
    losses = DivergenceDetector(lambda: "here")
    losses.watch("actor loss", torch.tensor(bad).as_subclass(OnAccelerator))
    losses.watch("critic loss", torch.tensor(1.0).as_subclass(OnAccelerator))
    with pytest.raises(DivergenceError, match="actor loss"):
        losses.check()
