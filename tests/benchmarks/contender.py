"""One run of one contender, in a process of its own: `python tests/benchmarks/contender.py NAME TASK`.

Its last line is the result as JSON. The side-by-side benchmark starts it, so that no contender meets another's thread
settings, memory or imports.
"""

import argparse
import json

from contenders import CONTENDERS, Clock, Task

GFLOPS = "gflops"
"""In the place of a contender's name: measure the machine."""


def measure(name: str, task: Task) -> dict[str, float]:
    """Run a contender, and return its speed and memory; or the machine's speed."""
    if name == GFLOPS:
        from records import gflops

        return {"gflops": gflops()}
    contender, clock = CONTENDERS[name], Clock(task)
    megabytes = contender.run(task, clock, *contender.arguments)
    return clock.result() | {"replay_megabytes": megabytes}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=[*CONTENDERS, GFLOPS])
    parser.add_argument("task", nargs="?", type=json.loads, default={}, help="what differs from the default, as JSON")
    options = parser.parse_args()
    print(json.dumps(measure(options.name, Task(**options.task))))


if __name__ == "__main__":
    main()
