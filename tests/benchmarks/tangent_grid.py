"""What `tangent.py` measures: the way from the paper's letter to the recipe, and what lies around the recipe."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import chain
from typing import Any

from frozen_layer import LETTER, RECIPE, Setting

STEPS: list[tuple[str, dict[str, Any]]] = [
    ("the paper's letter", {}),
    ("observations normalized", {"normalize": "running"}),
    ("base point π/2 in the first RY column", {"base": "plus"}),
    ("angle scale 0.3", {"angle_scale": 0.3}),
    ("angle scale 0.1, their norm bounded", {"angle_scale": 0.1, "angle_bound": "norm"}),
    ("noise of 0.1 on recorded angles", {"angle_noise": 0.1}),
    ("hidden layer of 512", {"hidden": 512}),
    ("learning rate 6e-4", {"lr": 6e-4}),
    ("hidden layer of 128", {"hidden": 128}),
    ("linear path", {"linear": True}),
    ("qtDNN centered on the base point: the recipe", {"centered": True}),
]
"""Each step changes the one before it."""

AXES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "angle scale": [(f"angle scale {x:g}", {"angle_scale": x}) for x in (0.03, 0.1, 0.3, 1.0, 3.0)],
    "qubits": [(f"{n} qubits", {"qubits": n}) for n in (2, 4, 6, 8, 10, 12, 14)],
    "repetitions": [(f"{n} repetition{'s' * (n > 1)}", {"reps": n}) for n in (1, 2, 5, 10, 15, 20)],
    "shots": [(f"{n:,} shot{'s' * (n > 1)}", {"shots": n}) for n in (1, 10, 100, 1000)]
    + [("exact expectations", {"shots": None})],
    "noise": [(f"noise {x:g}", {"angle_noise": x}) for x in (0.0, 0.02, 0.05, 0.1, 0.2, 0.5)],
    "hidden": [(f"hidden layer of {n:,}", {"hidden": n}) for n in (32, 64, 128, 256, 512, 1024, 2048)],
    "learning rate": [(f"learning rate {x:g}", {"lr": x}) for x in (1e-4, 3e-4, 6e-4, 1e-3, 2e-3, 4e-3)],
    "one part taken away": [
        ("no linear path", {"linear": False}),
        ("not centered", {"centered": False}),
        ("neither of the two", {"linear": False, "centered": False}),
        ("base point 0", {"base": "zero"}),
        ("observations as they are", {"normalize": None}),
        ("angle scale 1, unbounded", {"angle_scale": 1.0, "angle_bound": None}),
    ],
}
"""Each entry changes the recipe."""

ALONE: list[tuple[str, dict[str, Any]]] = [
    ("base point π/2 in the first RY column", {"base": "plus"}),
    ("angle scale 0.1, their norm bounded", {"angle_scale": 0.1, "angle_bound": "norm"}),
    ("noise of 0.1 on recorded angles", {"angle_noise": 0.1}),
    ("the recipe's qtDNN", {"hidden": 128, "linear": True, "centered": True, "lr": 6e-4}),
]
"""Each entry changes the letter."""


@dataclass(frozen=True)
class Size:
    """How much is measured of each setting.

    Attributes:
        pairs: Circuits that are recorded, one for each observation.
        fits: Numbers of fits after which the qtDNN is compared.
        compared: Rows at which it is.
        seeds: 0, 1 and so on.
        gradient_rows: Rows whose gradient is measured by running circuits.
        shots: Of each circuit that parameter shift runs.
        directions: Numbers of SPSA's directions, in increasing order.
    """

    pairs: int = 20_000
    fits: tuple[int, ...] = (100, 300, 1000)
    compared: int = 128
    seeds: int = 5
    gradient_rows: int = 8
    shots: tuple[int, ...] = (1, 10, 100, 1000)
    directions: tuple[int, ...] = (1, 4, 16, 64, 256, 1024, 4096)

    def shrink(self, setting: Setting) -> Setting:
        """Return the setting itself."""
        return setting


@dataclass(frozen=True)
class QuickSize(Size):
    """A few seconds' worth, which says nothing: small circuits and networks, hardly any pairs and fits."""

    pairs: int = 200
    fits: tuple[int, ...] = (1, 2)
    compared: int = 4
    seeds: int = 2
    gradient_rows: int = 2
    shots: tuple[int, ...] = (1, 10)
    directions: tuple[int, ...] = (1, 2)

    def shrink(self, setting: Setting) -> Setting:
        """Return the setting with at most 3 qubits, 2 repetitions and 8 units."""
        sizes = {"qubits": min(setting.qubits, 3), "reps": min(setting.reps, 2), "hidden": min(setting.hidden, 8)}
        return replace(setting, **sizes)


def ladder() -> list[tuple[str, Setting]]:
    """List the settings from the letter to the recipe, each by what is new in it."""
    rungs, setting = [], LETTER
    for name, change in STEPS:
        setting = replace(setting, **change)
        rungs.append((name, setting))
    return rungs


def around() -> dict[str, list[tuple[str, Setting]]]:
    """List the settings around the recipe by their axis, each with its name."""
    return {axis: [(name, replace(RECIPE, **change)) for name, change in cells] for axis, cells in AXES.items()}


def alone() -> list[tuple[str, Setting]]:
    """List the settings that have one part of the recipe, each with its name."""
    return [(name, replace(LETTER, **change)) for name, change in ALONE]


def settings(part: str) -> Iterator[Setting]:
    """Return the settings of a part, `ladder`, `around` or `alone`, the ladder from its quick end on."""
    cells = {"ladder": lambda: reversed(ladder()), "alone": alone, "around": lambda: chain(*around().values())}[part]()
    return (setting for _, setting in cells)


def found(record: dict[str, Any], setting: Setting) -> list[dict[str, Any]]:
    """Return what a record has of a setting, one entry for each seed."""
    return [entry for entry in record["fitted"] if entry["setting"] == asdict(setting)]
