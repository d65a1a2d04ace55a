"""Humanoid trained on a GPU for minutes: `python tests/benchmarks/gpu_training.py --out build/gpu`.

Real runs of the command, ended by SIGTERM when their time is up; rates are medians over the second half of the rows of
their metrics, shares of time those of the last row, memory is what is in use when time is up.
"""

import argparse
import csv
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
from gpu_store import Store, memory_in_use

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
LONG = "graphs, overlapped processes"
"""The way that is tried first, and for minutes."""
SECTIONS = ("env", "policy", "replay", "surrogate", "critic", "actor", "test", "probe", "save")


def train(overrides: list[str], folder: Path, seconds: float, device: str) -> dict[str, Any]:
    """Train for so long, and return what the run's metrics say, and the memory that it took."""
    command = [sys.executable, "-m", "qtrl.train", "experiment=humanoid_pqc", "logger=csv", f"run_dir={folder}"]
    before, memory = memory_in_use(device), dict[str, int]()
    process = subprocess.Popen([*command, *overrides], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        memory = memory_of(process.pid, device, before)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "said.txt").write_text(said)
    file = folder / "metrics.csv"
    rows = list(csv.DictReader(file.read_text().splitlines())) if file.exists() else []
    if not rows:
        raise RuntimeError(f"no row of metrics; the run said: {' '.join(said.split())[-250:]}")
    return facts(rows) | memory


def memory_of(pid: int, device: str, before: int | None) -> dict[str, int]:
    """Return the bytes that a process and its children take on the host, and that the card has lent since `before`."""
    process, there = psutil.Process(pid), memory_in_use(device)
    found = {"host_bytes": sum(one.memory_info().rss for one in (process, *process.children(recursive=True)))}
    return found if there is None or before is None else found | {"device_bytes": there - before}


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
    parser.add_argument("--seconds", type=float, default=235.0, help="for each run, imports included")
    parser.add_argument("--envs", type=int, nargs="+", default=[16])
    parser.add_argument("--ways", nargs="+", default=[LONG], choices=list(WAYS))
    parser.add_argument("--all-ways", action="store_const", dest="ways", const=list(WAYS))
    options = parser.parse_args()
    store = Store(options.out / "training.json", options.device)
    trainer = "gpu" if options.device == "cuda" else "default"
    warmup, every = (2000, 500) if options.device == "cuda" else (200, 20)
    lengths = [f"warmup_env_steps={warmup}", f"callbacks.log_every_env_steps={every}", "test_every_env_steps=20000"]
    lengths.append("checkpoint_replay=none")  # so that the end takes no time
    for envs in options.envs:
        for way in options.ways:
            name = f"{way}; {envs} environments, {options.seconds:.0f} s"
            folder = options.out / "runs" / "".join(c if c.isalnum() else "_" for c in name)
            overrides = [f"trainer={trainer}", f"num_envs={envs}", *lengths, *WAYS[way]]
            store.add(name, lambda o=overrides, f=folder: train(o, f, options.seconds, options.device))


if __name__ == "__main__":
    main()
