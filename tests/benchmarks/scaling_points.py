"""What the scaling benchmark varies, and how each point is measured."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from flops import Sizes
from lightning.pytorch import Callback
from omegaconf import DictConfig
from records import timed
from run_parts import RunParts, config
from torch.utils._python_dispatch import TorchDispatchMode
from training_speed import Batches

SKIPPED_UPDATES, SKIPPED_STEPS, STEPS, CIRCUIT_CALLS = 10, 20, 200, 31


@dataclass(frozen=True)
class Point:
    """The paper's run with one thing changed.

    Attributes:
        axis: What: `batch`, `width` of the qtDNN, `qubits` or `envs`.
        block: `pqc` or `fc`.
        value: To what.
    """

    axis: str
    block: str
    value: int

    @property
    def overrides(self) -> list[str]:
        """Write it as on the command line; a circuit of n qubits gets a qtDNN of width 2^(n + 1)."""
        changed = {
            "batch": [f"data.batch_size={self.value}"],
            "width": [f"gradient.hidden={self.value}"],
            "qubits": [f"circuit.n_qubits={self.value}", f"gradient.hidden={2 ** (self.value + 1)}"],
            "envs": [f"num_envs={self.value}"],
        }
        return [f"experiment=humanoid_{self.block}", "recipe=local", "data.capacity=10000", *changed[self.axis]]

    @property
    def batch(self) -> int:
        """Rows of a minibatch."""
        return self.value if self.axis == "batch" else 256

    @property
    def sizes(self) -> Sizes:
        """Return the sizes of its networks, for `update_flops`."""
        qubits = self.value if self.axis == "qubits" else 10
        width = self.value if self.axis == "width" else 2 ** (qubits + 1)
        return Sizes(n_in=22 * qubits, n_out=qubits, surrogate=width if self.block == "pqc" else None)


class AtEnds(Callback):
    """Note something at the end of every update."""

    def __init__(self, look: Callable[[], float]) -> None:
        self._look = look
        self.seen: list[float] = []

    def on_train_batch_end(self, *args: Any) -> None:
        self.seen.append(self._look())

    @property
    def per_update(self) -> float:
        """Return by how much it grew in an update: the median over pairs, of which one moves the actor."""
        pairs = zip(self.seen[SKIPPED_UPDATES:], self.seen[SKIPPED_UPDATES + 2 :], strict=False)
        return statistics.median(after - before for before, after in pairs) / 2


def fit(cfg: DictConfig, callback: Callback) -> None:
    """Train on random minibatches through Lightning's Trainer."""
    with TemporaryDirectory() as folder:
        parts = RunParts(cfg, Path(folder))
        parts.fit(Batches(cfg.data.batch_size, parts.columns), [callback])


def update_milliseconds(point: Point) -> float:
    """Return the time of an update, the mean over actor updates and others."""
    ends = AtEnds(time.perf_counter)
    fit(config(*point.overrides), ends)
    return 1e3 * ends.per_update


def collection_rate(point: Point) -> float:
    """Return env steps per second, with the block asked at every step and learning off."""
    cfg = config(*point.overrides)
    envs = cfg.num_envs
    skipped, steps = SKIPPED_STEPS * envs, max(STEPS, 20 * envs)
    cfg.total_env_steps, cfg.warmup_env_steps = skipped + steps, skipped + steps - 1
    stamps: list[tuple[int, float]] = []
    with TemporaryDirectory() as folder:
        stream = RunParts(cfg, Path(folder)).stream()
        stream.listen(lambda env_steps: stamps.append((env_steps, time.perf_counter())))
        for _ in stream:
            pass
    (first, begin), (last, end) = next(stamp for stamp in stamps if stamp[0] >= skipped), stamps[-1]
    return (last - first) / (end - begin)


def circuit_microseconds(qubits: int, rows: int) -> float:
    """Return the time of the circuit with its shots per row of angles."""
    cfg = config(*Point("qubits", "pqc", qubits).overrides)
    block, generator = RunParts(cfg, Path()).block, torch.Generator().manual_seed(0)
    angles = torch.randn(rows, block.n_in)
    with torch.no_grad():
        block(angles, generator)
        times = [timed(lambda: block(angles, generator)) for _ in range(CIRCUIT_CALLS)]
    return 1e6 * statistics.median(times) / rows


def bandwidth() -> float:
    """Measure the machine of this minute: GB/s of a sum of two vectors that no cache holds."""
    one, other = torch.randn(2, 1 << 25)
    out = torch.empty_like(one)
    return 3 * 4e-9 * len(one) / min(timed(lambda: torch.add(one, other, out=out)) for _ in range(5))


class Operations(TorchDispatchMode):
    """Count the tensor operations that compute something: on a GPU, about as many kernels."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not func.is_view
        return func(*args, **(kwargs or {}))


def operations(block: str) -> float:
    """Return the operations of one update, the mean over actor updates and others."""
    with Operations() as counter:
        counts = AtEnds(lambda: counter.count)
        fit(config(f"experiment=humanoid_{block}", "recipe=local"), counts)
    return counts.per_update
