import pytest
import torch
from flops import Sizes, update_flops
from torch.utils._python_dispatch import _get_current_dispatch_mode

from qtrl.callbacks import UpdateFlops
from qtrl.callbacks.metrics.update_flops import COUNTED
from qtrl.meters import FlopCount

SMALL = ("data.batch_size=4", "actor.links=0")


def counted_run(small_run, name, **options):
    """A run that counts into its own meters."""
    flops = []

    def make(testing):
        return [UpdateFlops(flops[0]), testing]

    def before(module, testing):
        flops.append(module.meters.flops)

    return small_run(make, name=name, before=before, overrides=SMALL, **options), flops[0]


def test_the_first_updates_are_counted_and_nothing_else_changes(small_run):
    counted, flops = counted_run(small_run, "counted")
    plain = small_run(lambda testing: [testing], name="plain", overrides=SMALL)
    assert flops.updates == COUNTED < counted.module.updates
    assert plain.module.meters.flops.gflop_per_update is None
    states = counted.module.state_dict(), plain.module.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert [row["test/return_mean"] for row in counted.rows] == [row["test/return_mean"] for row in plain.rows]


def test_the_count_is_that_of_the_matrix_products(small_run):
    _, counted = counted_run(small_run, "counted")
    sizes = Sizes(observation=3, action=1, n_in=8, n_out=2, surrogate=8, hidden=8, links=0)
    assert counted.gflop_per_update == pytest.approx(sum(update_flops(sizes, 4, values=False).values()) / 1e9)


def test_nothing_counts_after_an_error(small_run):
    def fail(module, testing):
        module.training_step = lambda *_: 1 / 0

    with pytest.raises(ZeroDivisionError):
        small_run(lambda testing: [UpdateFlops(FlopCount()), testing], before=fail)
    assert _get_current_dispatch_mode() is None


def test_a_count_goes_on_where_it_was():
    before, after = UpdateFlops(FlopCount(2, 100)), FlopCount()
    UpdateFlops(after).load_state_dict(before.state_dict())
    assert (after.updates, after.gflop_per_update) == (2, 50 / 1e9)
    assert FlopCount().gflop_per_update is None
