"""The measurements of `tangent.py` as tables, which stand between markers on a page that is written by hand."""

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from frozen_layer import BATCH, RECIPE
from interval_coverage import student
from records import filled, heading, number, table
from tangent_circuits import Effort, methods, needed
from tangent_grid import Setting, Size, alone, around, found, ladder

COLUMNS = {
    "displacement": "displacement, rad",
    "jacobian_norm": "norm of the Jacobian",
    "spread": "spread",
    "base_cosine": "cosine, base point's",
}
Ways = list[tuple[str, Effort, Effort | None]]
NAMES = {"parameter_shift": "parameter shift", "spsa": "SPSA"}


def filled_in(page: str, record: dict[str, Any], size: Size) -> str:
    """Replace what stands between the markers `<!-- name -->` and `<!-- end of name -->` of each table."""
    for name, write in TABLES.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        text = f"{begin}\n\n{write(record, size)}\n\n{end}"
        page, count = re.subn(f"{begin}.*?{end}", lambda _, text=text: text, page, flags=re.DOTALL)
        if count != 1:
            raise SystemExit(f"tangent.py: the page has {count} places for {name!r}, expected {begin} and {end} once")
    return page


def estimate(values: Iterable[float], digits: int = 3) -> str:
    """Write the mean over seeds and half the width of its 95 % interval by Student's t, rounded up."""
    values = np.array(list(values))
    if len(values) < 2:
        return f"{values.mean():.{digits}f} (one seed)"
    low, high = student(values)
    half = f"{math.ceil((high - low) / 2 * 10**digits) / 10**digits:.{digits}f}"
    few = "" if len(values) >= 5 else f" ({len(values)} seeds)"
    return f"{values.mean():.{digits}f} ± {half}{few}"


def cosines(entries: list[dict[str, Any]], effort: int) -> list[float]:
    """Return the cosines of the seeds after so many fits, or for so many circuits."""
    return [entry["cosine"][str(effort)] for entry in entries]


def _conditions(record: dict[str, Any], size: Size) -> str:
    sessions = [session for session in record["sessions"] if "load_average_after" in session]
    keys = ("command", "date", "machine", "cores", "threads", "git_commit")
    merged = {key: ", ".join(dict.fromkeys(str(session[key]) for session in sessions)) for key in keys}
    merged["command"] = re.sub(r"--out \S+", "--out docs", merged["command"]).replace(", ", "\n")  # wherever it was
    loads = {
        "load_average_before": sessions[0]["load_average_before"],
        "load_average_after": sessions[-1]["load_average_after"],
    }
    return _filled_heading(merged | loads)


def _filled_heading(record: dict[str, Any]) -> str:
    """Write the conditions, wrapped."""
    command, _, rest = heading(record).rpartition("\n\n")
    return f"{command}\n\n{filled(rest)}"


def _row(name: str, setting: Setting, record: dict[str, Any], size: Size) -> list[str]:
    entries = found(record, size.shrink(setting))
    if not entries:
        return []
    properties = [_mean([entry[key] for entry in entries]) for key in COLUMNS]
    return [name, *properties, *(estimate(cosines(entries, count)) for count in size.fits)]


def _mean(values: list[float | None]) -> str:
    return number(None if None in values else float(np.mean(values)))


def _fitted(cells: Iterable[tuple[str, Setting]], record: dict[str, Any], size: Size) -> str:
    head = ["setting", *COLUMNS.values(), *(f"cosine, {count:,} fits" for count in size.fits)]
    rows = (_row(name, setting, record, size) for name, setting in cells)
    return table(head, [row for row in rows if row])


def _ladder(record: dict[str, Any], size: Size) -> str:
    return _fitted(ladder(), record, size)


def _alone(record: dict[str, Any], size: Size) -> str:
    return _fitted([ladder()[0], *alone()], record, size)


def _around(record: dict[str, Any], size: Size) -> str:
    cells = [("**recipe**", RECIPE)]
    for axis in around().values():
        if any(found(record, size.shrink(setting)) for _, setting in axis if setting != RECIPE):
            cells += [(f"**{name}**" if setting == RECIPE else name, setting) for name, setting in axis]
    return _fitted(cells, record, size)


def measured(record: dict[str, Any], method: dict[str, Any]) -> dict[int, list[float]]:
    """Return the cosines of a method, one of each seed, by its circuits for each row."""
    entries = [entry for entry in record["circuits"] if entry.items() >= method.items()]
    efforts = sorted(map(int, entries[0]["cosine"])) if entries else []
    return {effort: cosines(entries, effort) for effort in efforts}


def _measured_circuits(record: dict[str, Any], size: Size) -> str:
    rows = [
        [NAMES[method["method"]], f"{circuits:,}", _shots(method["shots"]), estimate(found)]
        for method in methods(size)
        for circuits, found in measured(record, method).items()
    ]
    return table(["gradient", "circuits for one row", "shots of each", "cosine"], rows)


def _shots(shots: float | None) -> str:
    return "exact" if shots is None else number(shots)


def as_good_as(cosine: float, record: dict[str, Any], size: Size) -> Ways:
    """List what reaches a cosine, where it was measured: a name, circuits for one row, shots of each of them."""
    means = [
        (method, {circuits: float(np.mean(values)) for circuits, values in measured(record, method).items()})
        for method in methods(size)
    ]
    shifts = [
        (method["shots"], *of_circuits.popitem()) for method, of_circuits in means if _shifts(method, of_circuits)
    ]
    by_shots = {shots: reached for shots, _, reached in shifts}
    ways: Ways = [(NAMES["parameter_shift"], Effort(shifts[0][1]), needed(by_shots, cosine))] if shifts else []
    return ways + [
        (NAMES["spsa"], needed(of_circuits, cosine), Effort(method["shots"]) if method["shots"] else None)
        for method, of_circuits in means
        if method["method"] == "spsa" and of_circuits
    ]


def _shifts(method: dict[str, Any], of_circuits: dict[int, float]) -> bool:
    return method["method"] == "parameter_shift" and bool(of_circuits)


def _equal(record: dict[str, Any], size: Size) -> str:
    rows, entries = [], found(record, size.shrink(RECIPE))
    for fits in size.fits if entries else ():
        cosine = float(np.mean(cosines(entries, fits)))
        recorded = f"0 more, {size.pairs:,} recorded"
        shots = number(RECIPE.shots)
        rows.append([f"**qtDNN, {fits:,} fits: {cosine:.3f}**", number(size.pairs / (fits * BATCH)), shots, recorded])
        for name, circuits, shots in as_good_as(cosine, record, size):
            cells = [_much(circuits), "exact" if shots is None else _much(shots), _much(circuits * BATCH)]
            rows.append([name, *cells])
    return table(["gradient", "circuits for one row", "shots of each", f"circuits for {BATCH} rows"], rows)


def _much(effort: Effort) -> str:
    """Write an effort with two digits where it is interpolated, or that so much was too little."""
    amount = float(f"{effort.amount:.2g}") if effort.enough and effort.amount % 1 else effort.amount
    return f"{'' if effort.enough else '> '}{number(amount)}"


TABLES: dict[str, Callable[[dict[str, Any], Size], str]] = {
    "conditions": _conditions,
    "ladder": _ladder,
    "circuits": _equal,
    "measured circuits": _measured_circuits,
    "around": _around,
    "alone": _alone,
}
"""What stands between the markers of each name."""
