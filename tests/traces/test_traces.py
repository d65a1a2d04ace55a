import json

import pytest
from tracing import FOLDER, RUNS, UPDATES, trace

CLOSE = {"rel": 2e-3, "abs": 2e-4}
"""Fifty updates amplify the rounding of one; a changed draw or formula is hundreds of times as large."""


@pytest.mark.parametrize("name", RUNS)
def test_an_optimized_run_does_what_the_first_version_did(name):
    expected = json.loads((FOLDER / f"{name}.json").read_text())
    found = trace(RUNS[name])
    assert len(found) == len(expected) == UPDATES
    for row, (one, other) in enumerate(zip(found, expected, strict=True)):
        one = {name: one[name] for name in other}  # a metric may have come since
        assert one == pytest.approx(other, **CLOSE), f"{name}, update {row + 1}"
