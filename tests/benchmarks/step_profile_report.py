"""The page and the picture of the profile of a step."""

from pathlib import Path
from typing import Any

from records import heading, number, table

COLORS = ("#b5bec6", "#8fb0d6", "#e3a766")
"""Of the groups below, light enough for black figures on them."""
GROUPS = {
    "collection": ("env", "collector", "policy", "block", "extend"),
    "update: networks and losses": ("fit", "target", "critic", "actor"),
    "update: around them": ("sample", "optimizer", "polyak", "logging", "rest"),
}


def page(records: dict[str, dict[str, Any]], parts: dict[str, str]) -> str:
    """Write all records as Markdown, one column for each record and block.

    Args:
        records: By label, as `step_profile.py` writes them.
        parts: What each part is.
    """
    columns = [(label, block) for block in next(iter(records.values()))["milliseconds"] for label in records]
    values = [records[label]["milliseconds"][block] for label, block in columns]
    head = ["ms per env step", *(f"`{block}`, {label}" for label, block in columns)]
    rows = [[f"{part}: {about}", *(f"{column[part]:.2f}" for column in values)] for part, about in parts.items()]
    rows.append(["**sum**", *(f"**{sum(column.values()):.1f}**" for column in values)])
    rows.append(["env steps per second", *(number(1e3 / sum(column.values())) for column in values)])
    rows.append(["GFLOP/s of the machine", *(number(records[label]["gflops"]) for label, _ in columns)])
    made = "\n\n".join(f"**{label}**\n\n{heading(record)}" for label, record in records.items())
    return (
        "# Where a step goes\n\nHumanoid-v4, one environment, batch 256, one update for each env step. A moment "
        "belongs to the innermost part. GFLOP/s are those of the qtDNN's largest product alone."
        "\n\n![Milliseconds per env step](step_profile.png)\n\n"
        f"{table(head, rows)}\n\n## How it was made\n\n{made}\n"
    )


def draw(records: dict[str, dict[str, Any]], path: Path) -> None:
    """Draw each record and block as a bar of three groups of parts."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    blocks = list(next(iter(records.values()))["milliseconds"])
    bars = [(f"{block}, {label}", records[label]["milliseconds"][block]) for block in blocks for label in records]
    figure, axes = plt.subplots(figsize=(8, 0.8 + 0.55 * len(bars)), layout="constrained")
    for row, (_, parts) in enumerate(bars):
        start = 0.0
        for (group, names), color in zip(GROUPS.items(), COLORS, strict=True):
            width = sum(parts[name] for name in names)
            axes.barh(row, width, left=start, color=color, label=group if row == 0 else None)
            axes.text(start + width / 2, row, f"{width:.1f}", ha="center", va="center", fontsize=9)
            start += width
    axes.set_yticks(range(len(bars)), [name for name, _ in bars])
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds per env step, Humanoid-v4, batch 256")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)
