"""Everything that is measured on a GPU, in under nine minutes: `python tests/benchmarks/gpu.py`, or `make gpu`.

Each part is a process of its own with a limit of time, and writes what it has measured at once. The same command again
goes on with what is missing. `--parts trials` tries other ways to train, for which there is no time otherwise. Wheels
that lie in `wheels/` are unpacked first, for machines that lack packages; a part that cannot run there says why in one
line.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
TESTS = tuple(
    f"tests/{name}.py"
    for name in (
        *("test_gpu", "quantum/test_accelerator", "quantum/test_triton", "contracts/test_engine"),
        "data/test_graphed_acting",
    )
)
EXTRA = ("trials",)
"""Parts that run only where they are named."""


def parts(device: str, quick: bool) -> dict[str, tuple[float, list[str]]]:
    """Return the limit of time, in seconds, and the arguments of each part."""
    workers = "8" if device == "cuda" else "0"
    tests = ["-m", "pytest", *TESTS, "-m", "gpu", "-n", workers, "-q", "-p", "no:cacheprovider", "-p", "no:benchmark"]
    circuits, updates, training = (str(HERE / f"gpu_{name}.py") for name in ("circuits", "updates", "training"))
    if device == "cpu":
        few, one_run = ["--batches", "1", "4"], ["--ways", "eager", "--envs", "4"]
        return {
            "tests": (60, tests),
            "circuits": (120, [circuits, *few, "--engines", "statevector", "--seconds", "0.01"]),
            "updates": (120, [updates, "--batch-sizes", "16", "--modes", "eager", "--seconds", "1"]),
            "training": (180, [training, *one_run, "--seconds", "60"]),
        }
    seconds, each, minutes = ("0.1", "2", "100") if quick else ("0.15", "3", "235")
    return {
        "tests": (75, tests),
        "circuits": (75, [circuits, "--seconds", seconds]),
        "updates": (125, [updates, "--seconds", each]),
        "training": (255, [training, "--seconds", minutes]),
        "trials": (500, [training, "--seconds", "30", "--envs", "16", "64", "--all-ways"]),
    }


def environment(wheels: Path, out: Path) -> dict[str, str]:
    """Unpack wheels, and return the environment in which they and the checkout are found."""
    site = out / "site"
    found = sorted(map(str, wheels.glob("*.whl")))
    if found and not site.exists():
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(site)]
        subprocess.run([*install, *found], check=True)
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests"), str(site)]),
        "PYTHONUNBUFFERED": "1",
    }


def run(name: str, command: list[str], limit: float, out: Path, env: dict[str, str]) -> bool:
    """Run a part with all its processes, show and keep what it prints, and tell whether it came to its end."""
    print(f"== {name}, {limit:.0f} s at most", flush=True)
    start, file = time.perf_counter(), out / f"{name}.log"
    with file.open("w") as log:
        streams: dict[str, Any] = {"stdout": log, "stderr": subprocess.STDOUT, "start_new_session": True}
        process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=env, **streams)
        try:
            status = f"exit status {process.wait(limit)}"
        except subprocess.TimeoutExpired:
            status = "time is up"
        with suppress(ProcessLookupError):  # compilers and environments that it left behind, or that ignore SIGTERM
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    print("\n".join(file.read_text().splitlines()[-60:]))
    print(f"== {name}: {status}, {time.perf_counter() - start:.0f} s", flush=True)
    return status == "exit status 0"


def main() -> None:
    """Run the parts, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/gpu"))
    parser.add_argument("--wheels", type=Path, default=Path("wheels"))
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--quick", action="store_true", help="fewer sizes and shorter measurements")
    parser.add_argument("--parts", nargs="+", default=None)
    options = parser.parse_args()
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    env = environment(options.wheels, out)
    ended = []
    for name, (limit, command) in parts(options.device, options.quick).items():
        if name in options.parts if options.parts else name not in EXTRA:
            common = [] if name == "tests" else ["--out", str(out), "--device", options.device]
            ended.append(run(name, [*command, *common], limit, out, env))
    sys.exit(0 if all(ended) else 1)


if __name__ == "__main__":
    main()
