"""What Python does beside launching kernels in a replayed update; tests on a GPU show that the kernels are the same."""

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from algos.test_td3 import fit, make_module, make_stream

from qtrl.algos import FusedAdam
from qtrl.algos.graphed_update import GraphedUpdate
from qtrl.errors import ConfigError, DivergenceError
from qtrl.process.cuda_graphs import WARMUP


class Recorder:
    """Stands for a CUDA graph: the first replay is the call that was recorded, each other one calls again."""

    def __init__(self, module):
        self._module, self.recorded, self.replayed = module, 0, 0

    def stream(self):
        return nullcontext()

    def record(self, call, generators):
        self.recorded += 1
        call()
        first = True

        def replay():
            nonlocal first
            if not first:
                self.replayed += 1
                self._computes_alone(call)
            first = False

        return replay

    def _computes_alone(self, call):
        mechanics = self._module.mechanics
        total = self._module.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress.total
        ledger, steps, metrics = mechanics.meters.ledger.copy(), vars(total).copy(), dict(mechanics.metrics)
        newest = dict(mechanics.divergence.newest)
        call()
        mechanics.meters.ledger.__dict__.update(vars(ledger))
        vars(total).update(steps)
        written = {name: value.clone() for name, value in mechanics.metrics.items()}
        for name, value in metrics.items():  # a graph writes into the tensors of its capture
            value.copy_(written[name])
        mechanics.metrics.clear()
        mechanics.metrics.update(metrics)
        mechanics.divergence.newest = newest


def trained(graphs, monkeypatch, updates=20, **options):
    monkeypatch.setattr(GraphedUpdate, "check", lambda self: None)
    module = make_module(more={"cuda_graphs": graphs}, **options)
    recorder = None
    if graphs:
        recorder = module._graphs._recorder = Recorder(module)
    trainer = fit(module, make_stream(updates))
    return module, trainer, recorder


@pytest.mark.parametrize("options", [{}, {"fit_every_updates": 3}, {"pairs": "fresh"}], ids=str)
def test_replayed_updates_are_counted_and_booked_as_if_they_were_made(options, monkeypatch):
    (one, trainer, _), (other, its_trainer, recorder) = (trained(on, monkeypatch, **options) for on in (False, True))
    kinds = 4 if options.get("fit_every_updates") else 2
    assert recorder.recorded == sum(1 for kind in other._graphs._made.values() if kind > WARMUP) <= kinds
    assert recorder.replayed > 5
    assert trainer.global_step == its_trainer.global_step and one.updates == other.updates == 20
    assert one.meters.ledger.circuits == other.meters.ledger.circuits
    assert one.meters.ledger.shots == other.meters.ledger.shots
    assert one.meters.ledger.parameter_shift_circuits == other.meters.ledger.parameter_shift_circuits
    assert one.metrics.keys() == other.metrics.keys()
    for name, value in one.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name


def test_what_must_be_finite_is_watched_in_replays_too(monkeypatch):
    module, _, _ = trained(True, monkeypatch)
    captured = next(iter(module._graphs._captured.values()))
    assert {"critic loss", "the norm of the gradient of critic loss"} <= captured.watched.keys()
    captured.watched["critic loss"].fill_(torch.nan)
    with pytest.raises(DivergenceError, match="critic loss became nan"):
        module.mechanics.divergence.watch_all(captured.watched)


def test_without_a_gpu_graphs_are_refused_before_anything_runs():
    module = make_module(more={"cuda_graphs": True})
    with pytest.raises(ConfigError, match=r"algo\.cuda_graphs=true needs a GPU: set trainer=gpu"):
        fit(module, make_stream(1))
    assert module.updates == 0


@pytest.mark.parametrize("mode", ["reduce-overhead", "max-autotune"])
def test_graphs_within_graphs_are_refused(mode):
    with pytest.raises(ConfigError, match=f"compile_mode={mode} both capture: choose one"):
        make_module(more={"cuda_graphs": True, "compile_mode": mode})


def test_optimizers_that_cannot_be_captured_are_refused():
    root = SimpleNamespace(root_device=torch.device("cuda"))
    trainer = SimpleNamespace(strategy=root, world_size=1, precision_plugin=None)
    weight = torch.nn.Parameter(torch.zeros(1))
    for make, captured in ((torch.optim.AdamW, False), (FusedAdam, True), (torch.optim.SGD, True)):
        trainer.optimizers = [make([weight], lr=0.1)]
        graphs = GraphedUpdate(None, SimpleNamespace(trainer=trainer), None)
        with nullcontext() if captured else pytest.raises(ConfigError, match="optimizers that can be captured"):
            graphs.check()


def test_minibatches_of_another_size_are_refused(monkeypatch):
    monkeypatch.setattr(GraphedUpdate, "check", lambda self: None)
    module = make_module(more={"cuda_graphs": True})
    module._graphs._recorder = Recorder(module)
    stream = make_stream(12)
    stream.batches[-1] = replace(stream.batches[-1], transitions=stream.batches[-1].transitions[:2])
    with pytest.raises(ConfigError, match="one size, not 6 rows and now 2"):
        fit(module, stream)
