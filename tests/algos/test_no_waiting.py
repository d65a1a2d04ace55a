"""Between two rows of metrics, training waits for an accelerator nowhere but where an action is needed."""

import sys
from types import SimpleNamespace

import pytest
import torch
from algos.test_categorical_td3 import make_categorical
from algos.test_td3 import Batches, Recorder, make_module, make_stream
from lightning.pytorch import Callback, Trainer
from no_waiting import META, NoWaiting, OnMeta

from qtrl.algos import FusedAdam
from qtrl.callbacks import Forecast, MetricRows, QGuard, SaturationGuard, UpdateFlops
from qtrl.meters import FlopCount
from qtrl.nn import RunningNorm
from qtrl.nn.norms.normalization import RewardScale, update_norms
from qtrl.process.quiet import quiet_libraries
from qtrl.seeding import Generators

SELDOM = 10_000
UPDATES = 4


class Watched(Batches):
    """Minibatches on the host, between the first and the last of which nothing may wait."""

    stats = SimpleNamespace(largest_reward=1.0)

    def __iter__(self):
        with NoWaiting():
            yield from super().__iter__()


@pytest.fixture
def no_generators(monkeypatch):
    """The device `meta` has none."""
    get = Generators.get
    monkeypatch.setattr(Generators, "get", lambda *args: None if META in args else get(*args))


MODULES = {
    "recent_pairs": lambda: make_module(normalize="running", pairs="recent"),
    "norms_and_penalties": lambda: make_module(
        settings={"preactivation_penalty": 0.1, "angle_penalty": 0.1}, more={"max_gradient_norm": 1.0}, fit_batches=3
    ),
    "categorical": make_categorical,
}


@pytest.mark.parametrize("name", MODULES)
def test_no_update_and_no_callback_waits_between_two_rows(name, no_generators, monkeypatch):
    quiet_libraries()
    monkeypatch.setattr(Recorder, "optimizer", lambda self, name: FusedAdam)
    monkeypatch.setattr(sys.modules["torch.optim.adam"], "_device_dtype_check_for_fused", lambda *args: None)
    monkeypatch.setattr(MetricRows, "on_train_end", Callback.on_train_end)  # the last row is made of numbers
    forecast = Forecast(total_env_steps=SELDOM, updates=SELDOM, replay_bytes=lambda _: (0, 0))
    seldom = [kind(every_env_steps=SELDOM) for kind in (QGuard, SaturationGuard, MetricRows)]
    module = MODULES[name]()
    trainer = Trainer(
        strategy=OnMeta(),
        max_epochs=1,
        callbacks=[UpdateFlops(FlopCount()), forecast, *seldom],
        **dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False),
    )
    trainer.fit(module, Watched(make_stream(UPDATES).batches))
    assert module.updates == UPDATES
    assert {"loss/critic", "loss/actor", "train/q1", "gradient/actor"} <= module.metrics.keys()
    assert all(value.device == META for value in module.metrics.values())


@pytest.mark.parametrize("rows", [0, 3])
def test_statistics_of_rows_on_the_host_are_taken_in_without_waiting(rows):
    norm, scale = RunningNorm(2).to(META), RewardScale(5.0).to(META)
    with NoWaiting():
        update_norms([norm], torch.zeros(rows, 2))
        scale.update(torch.zeros(rows, dtype=torch.float64))


def test_the_mode_sees_what_waits():
    there, here = torch.zeros(2, device=META), torch.zeros(2)
    waits = (
        lambda: there.sum().item(),
        lambda: bool((there > 0).any()),
        lambda: there.nonzero(),
        lambda: there.cpu(),
        lambda: here.copy_(there),
        lambda: here.to(META),
        lambda: there.copy_(here),
    )
    for call in waits:
        with NoWaiting(), pytest.raises(AssertionError, match="waits for the device"):
            call()
    with NoWaiting():
        there.copy_(here, non_blocking=True)
        here.to(META, non_blocking=True)
        assert not here.any()
