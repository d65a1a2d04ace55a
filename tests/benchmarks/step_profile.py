"""Where the time of an env step goes while learning: `python tests/benchmarks/step_profile.py`.

Real runs of `humanoid_pqc` and `humanoid_fc`, logging and all, whose functions are wrapped by a stopwatch that books
each moment to the innermost part that is being timed. What no part claims is Lightning and Python around it.
"""

import argparse
import json
import os
import statistics
import time
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lightning.pytorch import Callback
from omegaconf import DictConfig
from records import conditions, gflops
from run_parts import RunParts
from run_parts import config as run_config
from step_profile_report import draw, page

from qtrl.algos import FusedAdam
from qtrl.callbacks import MetricRows, RunProgress
from qtrl.data import CollectingPolicy, Stream
from qtrl.envs import VectorEnv
from qtrl.loggers import MetricsCSV
from qtrl.process.quiet import quiet_libraries
from qtrl.process.threads import set_threads

BLOCKS = ("pqc", "fc")
PARTS = {
    "env": "Gymnasium's environment, MuJoCo in it",
    "collector": "what is around environment and policy",
    "policy": "the actor's networks and exploration noise",
    "block": "the block while acting: circuit and shots",
    "extend": "replay, writing",
    "sample": "replay, drawing a minibatch",
    "fit": "qtDNN fit, without its optimizer",
    "target": "target action and values",
    "critic": "both critics, forward and backward",
    "actor": "actor, every second update",
    "optimizer": "zero_grad and steps of all optimizers",
    "polyak": "target networks",
    "logging": "callbacks and loggers",
    "rest": "Lightning, and what no part claims",
}
WARMUP, SKIPPED = 400, 50


class Shares:
    """A stopwatch with nested parts; a moment belongs to the innermost."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._stack, self._since = ["rest"], time.perf_counter()

    def switch(self) -> None:
        """Book the time since the last switch."""
        now = time.perf_counter()
        self.seconds[self._stack[-1]] += now - self._since
        self._since = now

    def wrap(self, owner: Any, name: str, part: str, within: str | None = None) -> None:
        """Time a method of an object or a class; with `within`, book it only where that part calls it."""
        method = getattr(owner, name)

        def timed_method(*args: Any, **kwargs: Any) -> Any:
            self.switch()
            self._stack.append(part if within in (None, self._stack[-1]) else self._stack[-1])
            try:
                return method(*args, **kwargs)
            finally:
                self.switch()
                self._stack.pop()

        setattr(owner, name, timed_method)


class Window(Callback):
    """Begin to count after some updates."""

    def __init__(self, shares: Shares) -> None:
        self._shares, self.updates = shares, 0

    def on_train_batch_end(self, *args: Any) -> None:
        """Forget what was booked before the window."""
        self.updates += 1
        if self.updates == SKIPPED:
            self._shares.switch()
            self._shares.seconds.clear()


def config(block: str, steps: int, overrides: list[str]) -> DictConfig:
    """Compose the config of a run on Humanoid-v4."""
    names = [
        f"experiment=humanoid_{block}",
        "recipe=local",
        f"total_env_steps={WARMUP + SKIPPED + steps}",
        f"warmup_env_steps={WARMUP}",
    ]
    return run_config(*names, "data.capacity=100000", "logger=csv", *overrides)


def watch(shares: Shares, module: Any, stream: Stream, callbacks: list[Callback]) -> None:
    """Wrap the parts of a run."""
    for method in ("step_async", "step_wait", "reset"):
        shares.wrap(VectorEnv, method, "env")
    shares.wrap(stream, "_collect", "collector")
    shares.wrap(CollectingPolicy, "forward", "policy")
    shares.wrap(module.actor.layer.block, "forward", "block")
    shares.wrap(stream.replay, "extend", "extend")
    shares.wrap(stream.replay, "sample", "sample")
    shares.wrap(module, "_fit_surrogates", "fit")
    shares.wrap(module, "_update_critic", "critic")
    shares.wrap(module._networks, "target_values", "target")
    shares.wrap(module, "_approximate_action", "target", within="critic")
    shares.wrap(module, "_update_actor", "actor")
    shares.wrap(module, "_update_targets", "polyak")
    shares.wrap(FusedAdam, "step", "optimizer")
    shares.wrap(FusedAdam, "zero_grad", "optimizer")
    for callback in callbacks:
        shares.wrap(callback, "on_train_batch_end", "logging")


def profile(block: str, steps: int, overrides: list[str]) -> dict[str, float]:
    """Train, and return milliseconds per env step by part."""
    cfg = config(block, steps, overrides)
    with TemporaryDirectory() as folder:
        shares, parts = Shares(), RunParts(cfg, Path(folder))
        task, context, stream = parts.task, parts.context, parts.stream()
        lengths = {"total_env_steps": cfg.total_env_steps, "warmup_env_steps": cfg.warmup_env_steps}
        rows = [callback for callback in task.make_callbacks(context) if isinstance(callback, MetricRows)]
        callbacks = [RunProgress(task.make_test(context), **lengths), *rows]
        watch(shares, parts.module, stream, callbacks)
        window, csv = Window(shares), MetricsCSV(Path(folder) / "metrics.csv", task.metric_names(parts.module))
        parts.fit(stream, [*callbacks, window], [csv])
        shares.switch()
    return {part: 1e3 * shares.seconds[part] / (window.updates - SKIPPED) for part in PARTS}


def measure(steps: int, rounds: int, overrides: list[str]) -> dict[str, Any]:
    """Profile both blocks in turns; medians over the rounds."""
    found: dict[str, list[dict[str, float]]] = {block: [] for block in BLOCKS}
    speeds = []
    for _ in range(rounds):
        for block in BLOCKS:
            speeds.append(gflops())
            found[block].append(profile(block, steps, overrides))
    parts = {
        block: {part: statistics.median(each[part] for each in profiles) for part in PARTS}
        for block, profiles in found.items()
    }
    return {"milliseconds": parts, "gflops": statistics.median(speeds)}


def main() -> None:
    """Profile, and write the record under a label."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--label", default="after", help="name of this record in the file")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("overrides", nargs="*", help="key=value ..., as for qtrl.train")
    options = parser.parse_args()
    quiet_libraries()
    set_threads(None, 1)
    about = conditions()
    record = about | measure(options.steps, options.rounds, options.overrides)
    record["load_average_after"] = os.getloadavg()
    path = options.out / "step_profile.json"
    records = json.loads(path.read_text()) if path.exists() else {}
    records |= {options.label: record}
    path.write_text(json.dumps(records, indent=2) + "\n")
    path.with_suffix(".md").write_text(page(records, PARTS))
    draw(records, path.with_suffix(".png"))
    for block, parts in record["milliseconds"].items():
        print(block, {part: round(value, 2) for part, value in parts.items()}, f"sum {sum(parts.values()):.1f} ms")
    print(f"{record['gflops']:.0f} GFLOP/s")


if __name__ == "__main__":
    main()
