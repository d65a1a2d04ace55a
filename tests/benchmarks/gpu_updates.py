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
    "graphs": ("algo.cuda_graphs=true",),
    "eager": (),
    "reduce-overhead": ("algo.compile_mode=reduce-overhead",),
    "default": ("algo.compile_mode=default",),
}
"""The updates replayed as CUDA graphs, as they are, and compiled in two modes, which takes longest."""
SKIPPED, MOST, PROFILED = 20, 2000, 20
"""Updates that are not looked at, since what is made once is made in them; most that are timed; that are profiled."""
PROFILED_BATCH = 256
LAUNCHES = ("cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cuLaunchKernelEx")
WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize", "cudaMemcpy")


class Window(Callback):
    """Time, or profile, updates after the first ones, until there were so many or time is up."""

    def __init__(self, skipped: int, most: int, seconds: float, device: str, profiled: bool) -> None:
        self._skipped, self._most, self._longest, self._device = skipped, most, seconds, device
        self._profiler = (
            torch.profiler.profile(activities=list(torch.profiler.supported_activities())) if profiled else None
        )
        self.updates, self.seconds, self.ended = -skipped, 0.0, False
        self.counts: dict[str, int] = {}

    def on_train_batch_end(self, *args: Any) -> None:
        """Begin or end the window after its update."""
        self.updates += 1
        if self.updates == 0:
            self._wait()
            self._start = time.perf_counter()
            if self._profiler:
                self._profiler.start()
        elif self.updates == self._most or (self.updates > 0 and time.perf_counter() - self._start > self._longest):
            self._wait()
            self.seconds, self.ended = time.perf_counter() - self._start, True
            if self._profiler:
                self._profiler.stop()
                self.counts = {event.key: event.count for event in self._profiler.key_averages()}

    def _wait(self) -> None:
        if self._device == "cuda":
            torch.cuda.synchronize()


class OnDevice:
    """The same minibatch again and again, on the device, until a window has ended."""

    def __init__(self, batch: Batch, window: Window) -> None:
        self._batch, self._window = batch, window

    def __len__(self) -> int:
        return 10**12

    def __iter__(self) -> Iterator[Batch]:
        while not self._window.ended:
            yield self._batch


def fit(block: str, batch_size: int, mode: str, window: Window, device: str) -> None:
    """Make updates until a window that watches them has ended."""
    accelerator = "gpu" if device == "cuda" else "default"
    names = [f"experiment=humanoid_{block}", "recipe=local", f"trainer={accelerator}", f"data.batch_size={batch_size}"]
    cfg = config(*names, *OPTIONS[mode], "data.capacity=10000")
    with TemporaryDirectory() as folder:
        parts = RunParts(cfg, Path(folder))
        batch = next(iter(Batches(batch_size, parts.columns)))
        parts.fit(OnDevice(parts.module.transfer_batch_to_device(batch, torch.device(device), 0), window), [window])


def rate(block: str, batch_size: int, mode: str, device: str, seconds: float) -> dict[str, float]:
    """Measure updates per second and the memory that they take at most."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    window = Window(SKIPPED, MOST, seconds, device, profiled=False)
    fit(block, batch_size, mode, window, device)
    memory = torch.cuda.max_memory_allocated() if device == "cuda" else 0
    return {"updates_per_second": window.updates / window.seconds, "peak_memory_bytes": memory}


def operations(block: str, mode: str, device: str, seconds: float) -> dict[str, float]:
    """Count kernel launches and waits of one update."""
    window = Window(SKIPPED, PROFILED, seconds, device, profiled=True)
    fit(block, PROFILED_BATCH, mode, window, device)
    counts = window.counts
    of = {name: sum(counts.get(key, 0) for key in keys) for name, keys in (("launches", LAUNCHES), ("waits", WAITS))}
    of |= {"graph_launches": counts.get("cudaGraphLaunch", 0), "copies": counts.get("cudaMemcpyAsync", 0)}
    return {name: count / window.updates for name, count in of.items()}


def main() -> None:
    """Measure, and write `updates.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/gpu"))
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=BATCH_SIZES)
    parser.add_argument("--modes", nargs="+", default=list(OPTIONS))
    parser.add_argument("--seconds", type=float, default=3.0, help="for each measurement")
    parser.add_argument("--blocks", nargs="+", default=BLOCKS)
    options = parser.parse_args()
    quiet_libraries()
    store = Store(options.out / "updates.json", options.device)
    how = {"device": options.device, "seconds": options.seconds}
    for mode in options.modes:
        for block in options.blocks:
            for size in options.batch_sizes:
                store.add(f"{block} {size} {mode}", lambda b=block, s=size, m=mode: rate(b, s, m, **how))
            store.add(f"{block} {mode} operations", lambda b=block, m=mode: operations(b, m, **how))


if __name__ == "__main__":
    main()
