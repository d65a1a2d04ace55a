"""Turn a report of `pip install --dry-run --report` into constraints.txt (called by `make constraints`)."""

import json
import re
import sys
from pathlib import Path

HEADER = """\
# Every package of `pip install -e ".[dev,docs,bench]"`, pinned: what qtrl is tested with on Python 3.11 and 3.12.
# Made by `make constraints`; do not edit by hand. Run that with the oldest Python 3.11 at hand (Debian 12 has 3.11.2),
# since some packages drop old patch releases: `make constraints PYTHON=/usr/bin/python3.11`.
"""


def pins(report: Path) -> list[str]:
    """Return `name==version` for every package in the report but qtrl itself, sorted by name."""
    packages = [item["metadata"] for item in json.loads(report.read_text(encoding="utf-8"))["install"]]
    versions = {
        # A local part ("+cpu") names one build of a version; other indexes do not have it.
        re.sub(r"[-_.]+", "-", package["name"]).lower(): package["version"].partition("+")[0]
        for package in packages
    }
    return [f"{name}=={version}" for name, version in sorted(versions.items()) if name != "qtrl"]


if __name__ == "__main__":
    print(HEADER + "\n".join(pins(Path(sys.argv[1]))))
