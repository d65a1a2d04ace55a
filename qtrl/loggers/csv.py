"""Metrics as a CSV file that grows by appending, so that it outlives a crash and a resume."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger

from qtrl.atomic import write_text
from qtrl.keys import ENV_STEPS, METRICS


class MetricsCSV(Logger):
    """Append one row for each call; columns are fixed, cells of metrics not in the call stay empty.

    Lightning's own CSV logger deletes the file of a resumed run, and rewrites it whenever a new metric appears.

    Args:
        path: The file; its folder must exist.
        columns: Names of all metrics that will come.
    """

    def __init__(self, path: Path, columns: Sequence[str] = METRICS) -> None:
        super().__init__()
        self.path, self._columns = path, columns

    @property
    def name(self) -> str:
        """The logger's name."""
        return "csv"

    @property
    def version(self) -> str:
        """No version: a run folder holds one run."""
        return ""

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the run folder holds the config."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append one row; `metrics` holds `env_steps`, and `step` is not used."""
        new = not self.path.exists()
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, self._columns)
            if new:
                writer.writeheader()
            writer.writerow(metrics)

    def truncate(self, env_steps: int) -> None:
        """Drop the rows after `env_steps`: a run resumed from there writes them again."""
        if not self.path.exists():
            return
        with self.path.open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if int(row[ENV_STEPS]) <= env_steps]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns)
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.path, text.getvalue())
