"""Updates on a GPU: `python tests/benchmarks/gpu_updates.py --out build/gpu`.

Updates per second of `humanoid_pqc` and `humanoid_fc` through Lightning's Trainer, on minibatches that lie on the
device already, and how many kernels an update launches and how often it waits for the device.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from gpu_store import Store
from lightning.pytorch import Callback
from run_parts import RunParts, config
from training_speed import Batches

from qtrl.process.quiet import quiet_libraries
from qtrl.specs import Batch

BLOCKS, BATCH_SIZES = ("pqc", "fc"), (256, 4096)
OPTIONS = {
    "eager": (),
    "default": ("algo.compile_mode=default",),
    "reduce-overhead": ("algo.compile_mode=reduce-overhead",),
    "graphs": ("algo.cuda_graphs=true",),
}
"""The updates as they are, compiled by `torch.compile` in two modes, and replayed as CUDA graphs."""
LAUNCHES = ("cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cuLaunchKernelEx")
WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize", "cudaMemcpy")


class OnDevice:
    """The same minibatch again and again, on the device."""

    def __init__(self, batch: Batch, count: int) -> None:
        self._batch, self._count = batch, count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Batch]:
        return iter([self._batch] * self._count)


class Window(Callback):
    """Time, or profile, the updates from one to another."""

    def __init__(self, first: int, last: int, device: str, profiled: bool) -> None:
        self._first, self._last, self._device = first, last, device
        self._profiler = (
            torch.profiler.profile(activities=list(torch.profiler.supported_activities())) if profiled else None
        )
        self._updates, self._start, self.seconds = 0, 0.0, 0.0
        self.counts: dict[str, int] = {}

    def on_train_batch_end(self, *args: Any) -> None:
        """Begin or end the window after its update."""
        self._updates += 1
        if self._updates not in (self._first, self._last):
            return
        if self._device == "cuda":
            torch.cuda.synchronize()
        if self._updates == self._first:
            self._start = time.perf_counter()
            if self._profiler:
                self._profiler.start()
            return
        self.seconds = time.perf_counter() - self._start
        if self._profiler:
            self._profiler.stop()
            self.counts = {event.key: event.count for event in self._profiler.key_averages()}


def fit(
    block: str, batch_size: int, mode: str, device: str, updates: tuple[int, int], profiled: bool = False
) -> Window:
    """Make updates, and return the window that watched the last of them."""
    accelerator = "gpu" if device == "cuda" else "default"
    names = [f"experiment=humanoid_{block}", f"trainer={accelerator}", f"data.batch_size={batch_size}"]
    cfg = config(*names, *OPTIONS[mode], "data.capacity=10000")
    skipped, counted = updates
    window = Window(skipped, skipped + counted, device, profiled)
    with TemporaryDirectory() as folder:
        parts = RunParts(cfg, Path(folder))
        batch = next(iter(Batches(batch_size, parts.columns)))
        parts.fit(
            OnDevice(parts.module.transfer_batch_to_device(batch, torch.device(device), 0), skipped + counted), [window]
        )
    return window


def rate(block: str, batch_size: int, mode: str, device: str, updates: tuple[int, int]) -> dict[str, float]:
    """Measure updates per second and the memory that they take at most."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    window = fit(block, batch_size, mode, device, updates)
    memory = torch.cuda.max_memory_allocated() if device == "cuda" else 0
    return {"updates_per_second": updates[1] / window.seconds, "peak_memory_bytes": memory}


def operations(block: str, mode: str, device: str, updates: tuple[int, int]) -> dict[str, float]:
    """Count kernel launches and waits of one update."""
    counts = fit(block, 256, mode, device, updates, profiled=True).counts
    of = {name: sum(counts.get(key, 0) for key in keys) for name, keys in (("launches", LAUNCHES), ("waits", WAITS))}
    of |= {"graph_launches": counts.get("cudaGraphLaunch", 0), "copies": counts.get("cudaMemcpyAsync", 0)}
    return {name: count / updates[1] for name, count in of.items()}


def main() -> None:
    """Measure, and write `updates.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/gpu"))
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=BATCH_SIZES)
    parser.add_argument("--modes", nargs="+", default=list(OPTIONS))
    parser.add_argument("--updates", type=int, default=600)
    options = parser.parse_args()
    quiet_libraries()
    store = Store(options.out / "updates.json", options.device)
    updates = (max(2, options.updates // 5), options.updates)
    few = (updates[0], min(20, options.updates))
    for mode in options.modes:
        for block in BLOCKS:
            for size in options.batch_sizes:
                name = f"{block} {size} {mode}"
                store.add(name, lambda b=block, s=size, m=mode: rate(b, s, m, options.device, updates))
            store.add(f"{block} {mode} operations", lambda b=block, m=mode: operations(b, m, options.device, few))


if __name__ == "__main__":
    main()
