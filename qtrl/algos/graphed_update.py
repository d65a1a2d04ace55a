"""Updates as CUDA graphs: what an update launches is recorded once and replayed, with next to no Python in between."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.optim import Adam

from qtrl.algos.fused_adam import FusedAdam
from qtrl.algos.mechanics import UpdateMechanics
from qtrl.errors import ConfigError
from qtrl.meters import Ledger
from qtrl.process.cuda_graphs import WARMUP, CudaRecorder
from qtrl.specs import Batch


@dataclass
class Captured:
    """One kind of update.

    Attributes:
        replay: Launches it again.
        error: What it returns, written anew by each replay; so are `metrics` and `watched`.
        metrics: What it measures.
        watched: What must be finite.
        booked: Circuits and shots that it runs.
        optimizer_steps: That it takes.
    """

    replay: Callable[[], None]
    error: Tensor
    metrics: dict[str, Tensor] = field(default_factory=dict)
    watched: dict[str, Tensor] = field(default_factory=dict)
    booked: Ledger = field(default_factory=Ledger)
    optimizer_steps: int = 0


class GraphedUpdate:
    """Make the first updates of each kind as they are, capture the next, and replay it from then on.

    A replay launches the same kernels on the same tensors, and its draws come from the same generators. What Python
    does in an update beside launching is done again by hand: counting optimizer steps, circuits and shots. Times of
    sections are not taken any more.

    Args:
        update: Makes an update from a minibatch on the device and returns a tensor; launches the same kernels for each
            minibatch of one kind and size, and waits for none.
        module: Which it moves.
        mechanics: The module's.
        recorder: Records what a function launches.
    """

    def __init__(
        self,
        update: Callable[[Batch], Tensor],
        module: LightningModule,
        mechanics: UpdateMechanics,
        recorder: CudaRecorder | None = None,
    ) -> None:
        self._update, self._mechanics = update, mechanics
        self._module: Any = module
        self._recorder = recorder or CudaRecorder()
        self._made: dict[Hashable, int] = {}
        self._captured: dict[Hashable, Captured] = {}
        self._batch: Batch | None = None
        self._keys: list[Any] = []
        self._static: list[list[Tensor]] = []

    def __call__(self, kind: Hashable, batch: Batch) -> Tensor:
        """Make an update of a kind, of which each has its own graph."""
        if kind in self._captured:
            self._take(batch)
            return self._replay(self._captured[kind])
        self._made[kind] = self._made.get(kind, 0) + 1
        if self._made[kind] <= WARMUP:
            with self._recorder.stream():
                return self._update(batch)
        self._take(batch)
        captured = self._captured[kind] = self._capture()
        captured.replay()  # capturing computes nothing
        return captured.error

    def check(self) -> None:
        """Refuse a Trainer under which updates cannot be captured.

        Raises:
            ConfigError: It does not train on one GPU, scales gradients, or has an optimizer that cannot be captured.
        """
        trainer = self._module.trainer
        if trainer.strategy.root_device.type != "cuda":
            raise ConfigError("algo.cuda_graphs=true needs a GPU: set trainer=gpu, or leave it at false")
        if trainer.world_size > 1:
            raise ConfigError(f"algo.cuda_graphs=true needs one process, but trainer.devices={trainer.world_size}")
        adams = [each for each in trainer.optimizers if isinstance(each, Adam) and not isinstance(each, FusedAdam)]
        if any(not group["capturable"] for optimizer in adams for group in optimizer.param_groups):
            raise ConfigError("algo.cuda_graphs=true needs optimizers that can be captured: adam, or capturable=true")
        if getattr(trainer.precision_plugin, "scaler", None) is not None:
            raise ConfigError(f"algo.cuda_graphs=true needs gradients that are not scaled, not {trainer.precision}")

    def _take(self, batch: Batch) -> None:
        """Bring a minibatch to where the graphs read it."""
        if self._batch is None:
            recent = None if batch.recent is None else batch.recent.clone()
            self._batch = replace(batch, transitions=batch.transitions.clone(), recent=recent, update_priority=None)
            self._keys = list(batch.transitions.keys(include_nested=True, leaves_only=True))
            self._static = self._tensors(self._batch)
            return
        if batch.transitions.batch_size != self._batch.transitions.batch_size:
            sizes = f"{len(self._batch.transitions)} rows and now {len(batch.transitions)}"
            raise ConfigError(f"algo.cuda_graphs=true needs minibatches of one size, not {sizes}: set it to false")
        for old, new in zip(self._static, self._tensors(batch), strict=True):
            torch._foreach_copy_(old, new)

    def _tensors(self, batch: Batch) -> list[list[Tensor]]:
        """Return the tensors of a minibatch, those of one dtype together: they are copied by one kernel."""
        parts = [batch.transitions] if batch.recent is None else [batch.transitions, batch.recent]
        kinds: dict[torch.dtype, list[Tensor]] = {}
        for part in parts:
            for key in self._keys:
                if (value := part.get(key, None)) is not None:
                    kinds.setdefault(value.dtype, []).append(value)
        return list(kinds.values())

    def _capture(self) -> Captured:
        mechanics, batch = self._mechanics, self._batch
        assert batch is not None
        before, watched, metrics = mechanics.meters.ledger.copy(), mechanics.divergence.newest, dict(mechanics.metrics)
        steps, found = self._progress.optim_step_progress.total.completed, list[Tensor]()
        mechanics.metrics.clear()
        mechanics.divergence.newest = {}
        generators = mechanics.generators.on(self._static[0][0].device)
        mechanics.divergence.paused = True
        try:
            replay = self._recorder.record(lambda: found.append(self._update(batch)), generators)
        finally:
            mechanics.divergence.paused = False
        captured = Captured(
            replay,
            found[0],
            dict(mechanics.metrics),
            mechanics.divergence.newest,
            mechanics.meters.ledger.booked_since(before),
            self._progress.optim_step_progress.total.completed - steps,
        )
        mechanics.metrics.update({**metrics, **captured.metrics})
        mechanics.divergence.newest = {**watched, **captured.watched}
        return captured

    def _replay(self, captured: Captured) -> Tensor:
        captured.replay()
        self._mechanics.metrics.update(captured.metrics)
        self._mechanics.meters.ledger.book(captured.booked)
        for _ in range(captured.optimizer_steps):
            self._progress._on_before_step()
            self._progress._on_after_step()
        self._mechanics.divergence.watch_all(captured.watched)
        return captured.error

    @property
    def _progress(self) -> Any:
        """Lightning's count of optimizer steps."""
        return self._module.trainer.fit_loop.epoch_loop.manual_optimization
