"""Humanoid trained on a GPU for minutes: `python tests/benchmarks/gpu_training.py --out build/gpu`.

Real runs of the command, ended by SIGTERM when their time is up; rates and shares of time are those of the last row of
their metrics.
"""

import argparse
import csv
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from gpu_store import Store

FAST = ("algo.cuda_graphs=true", "data.storage=device")
WAYS = {
    "eager": (),
    "graphs": FAST,
    "graphs, acting on the CPU": (*FAST, "data.policy_device=cpu"),
    "graphs, overlapped threads": (*FAST, "env.vector=threads", "data.overlap=true"),
    "graphs, overlapped processes": (*FAST, "env.vector=processes", "data.overlap=true"),
    "graphs, overlapped processes, acting on the CPU": (
        *(*FAST, "env.vector=processes"),
        *("data.overlap=true", "data.policy_device=cpu"),
    ),
    "graphs, collecting processes": (*FAST, "data.collector=processes", "data.policy_device=cpu"),
}
SECTIONS = ("env", "policy", "replay", "surrogate", "critic", "actor", "test", "probe", "save")


def train(overrides: list[str], folder: Path, seconds: float) -> dict[str, Any]:
    """Train for so long, and return what the run's metrics say."""
    command = [sys.executable, "-m", "qtrl.train", "experiment=humanoid_pqc", "logger=csv", f"run_dir={folder}"]
    process = subprocess.Popen([*command, *overrides], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "said.txt").write_text(said)
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise RuntimeError(f"no row of metrics; the run said: {' '.join(said.split())[-250:]}")
    return facts(rows)


def facts(rows: list[dict[str, str]]) -> dict[str, Any]:
    """Return rates, returns and shares of time."""
    last = rows[-1]
    values = {name: [float(row[name]) for row in rows if row[name]] for name in last}
    found = {name: values[name][-1] for name in ("env_steps", "updates", "time/total")}
    found |= {
        f"highest {name}": max(values[name], default=float("nan")) for name in ("train/return", "test/return_mean")
    }
    for name in ("time/env_steps_per_second", "time/updates_per_second"):
        half = values[name][len(values[name]) // 2 :]
        found[name] = sorted(half)[len(half) // 2] if half else float("nan")
    return found | {f"share {name}": values[f"time/{name}"][-1] / found["time/total"] for name in SECTIONS}


def main() -> None:
    """Train, and write `training.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/gpu"))
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--seconds", type=float, default=60.0, help="for each run")
    parser.add_argument("--longest", type=float, default=60.0, help="for the fastest way once more")
    parser.add_argument("--envs", type=int, nargs="+", default=[16])
    parser.add_argument("--ways", nargs="+", default=list(WAYS))
    options = parser.parse_args()
    store = Store(options.out / "training.json", options.device)
    trainer = "gpu" if options.device == "cuda" else "default"
    lengths = ("warmup_env_steps=2000", "test_every_env_steps=20000", "callbacks.log_every_env_steps=500")
    for envs in options.envs:
        for way in options.ways:
            folder = options.out / "runs" / f"{way.replace(' ', '_').replace(',', '')}_{envs}"
            overrides = [f"trainer={trainer}", f"num_envs={envs}", *lengths, *WAYS[way]]
            store.add(f"{way} {envs}", lambda o=overrides, f=folder: train(o, f, options.seconds))
    if not options.longest:
        return
    rates = {name: rate_of(result) for name, result in store.record["results"].items()}
    fastest = max(rates, key=lambda name: rates[name])
    way, _, envs_of = fastest.rpartition(" ")
    overrides = [f"trainer={trainer}", f"num_envs={envs_of}", *lengths, *WAYS[way]]
    folder = options.out / "runs" / "longest"
    store.add(f"longest: {fastest}", lambda: train(overrides, folder, options.longest))


def rate_of(result: dict[str, Any]) -> float:
    """Return the env steps per second of a run; 0 where it failed, or was not a trial of a way."""
    rate = result.get("value", {}).get("time/env_steps_per_second", 0.0)
    return 0.0 if rate != rate else rate


if __name__ == "__main__":
    main()
