"""Everything that is measured on a GPU, in under nine minutes: `python tests/benchmarks/gpu.py`, or `make gpu`.

Each part is a process of its own with a limit of time, and writes what it has measured at once. The same command again
goes on with what is missing. Wheels that lie in `wheels/` are unpacked first, for machines that lack packages; a part
that cannot run there says why in one line.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
TESTS = tuple(
    f"tests/{name}.py"
    for name in ("test_gpu", "quantum/test_accelerator", "quantum/test_triton", "contracts/test_engine")
)


def parts(device: str, quick: bool) -> dict[str, tuple[float, list[str]]]:
    """Return the limit of time and the command of each part."""
    few = ["--batches", "1", "256", "8192"] if quick else []
    if device == "cpu":
        few = ["--batches", "1", "4", "--engines", "statevector"]
    tests = [*TESTS, "-m", "gpu", "-n", "4", "-q", "-p", "no:cacheprovider", "--tb=short", "--durations=5"]
    return {
        "tests": (110, ["-m", "pytest", *tests]),
        "circuits": (110, [str(HERE / "gpu_circuits.py"), *few, "--seconds", "0.1" if quick else "0.3"]),
        "updates": (120, [str(HERE / "gpu_updates.py"), "--updates", "300" if quick else "1000"]),
        "training": (190, [str(HERE / "gpu_training.py"), "--seconds", "20" if quick else "25"]),
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


def run(name: str, command: list[str], limit: float, out: Path, env: dict[str, str]) -> None:
    """Run a part, show what it prints, and keep it."""
    print(f"== {name}, {limit:.0f} s at most", flush=True)
    start = time.perf_counter()
    with (out / f"{name}.log").open("w") as log:
        process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT)
        try:
            status = str(process.wait(limit))
        except subprocess.TimeoutExpired:
            process.kill()
            status = "time is up"
    said = (out / f"{name}.log").read_text()
    print("\n".join(said.splitlines()[-60:]))
    print(f"== {name}: {status}, {time.perf_counter() - start:.0f} s", flush=True)


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
    for name, (limit, command) in parts(options.device, options.quick).items():
        if options.parts is None or name in options.parts:
            common = [] if name == "tests" else ["--out", str(out), "--device", options.device]
            run(name, [*command, *common], limit, out, env)


if __name__ == "__main__":
    main()
