"""Metrics as an append-only CSV file that survives crashes and resumed runs."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger

from qtrl.errors import RunFolderError
from qtrl.files.atomic import write_text
from qtrl.files.untrusted import read_regular
from qtrl.keys import ENV_STEPS, METRICS

LARGEST = 2**30
"""Maximum size in bytes of a file that is read back."""


class MetricsCSV(Logger):
    """Append one row per call; the columns are fixed, and cells of absent metrics stay empty.

    Lightning's own CSV logger deletes the file of a resumed run, and rewrites it whenever a new metric appears.

    Args:
        path: The file; its folder must exist.
        columns: Names of all metrics.
    """

    def __init__(self, path: Path, columns: Sequence[str] = METRICS) -> None:
        super().__init__()
        self.path, self._columns = path, columns
        self.row_count = 0
        """Number of rows in the file."""

    @property
    def name(self) -> str:
        """The logger's name."""
        return "csv"

    @property
    def version(self) -> str:
        """No version: a run folder holds one run."""
        return ""

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing; the run folder holds the config."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append one row; `metrics` includes `env_steps`, and `step` is ignored.

        Raises:
            RunFolderError: The file cannot be written.
        """
        try:
            with self.path.open("a", newline="") as file:
                writer = csv.DictWriter(file, self._columns)
                if not file.tell():
                    writer.writeheader()
                writer.writerow(metrics)
        except OSError as error:
            hint = "mend that, then go on with resume=true"
            raise RunFolderError(f"{self.path} cannot be written: {error.strerror}; {hint}") from error
        self.row_count += 1

    def truncate(self, rows: int) -> None:
        """Drop all rows after the first `rows`: a run resumed from a checkpoint writes the later ones again.

        Raises:
            RunFolderError: The file is not of such a run.
        """
        if not self.path.exists():
            return
        kept = self._read()[:rows]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns)
        writer.writeheader()
        writer.writerows(kept)
        write_text(self.path, text.getvalue())
        self.row_count = len(kept)

    def _read(self) -> list[dict[str, str]]:
        """Read all rows, without a last line that a kill cut short."""
        whole, _, _ = read_regular(self.path, limit=LARGEST).decode(errors="replace").rpartition("\n")
        reader = csv.DictReader(whole.splitlines(), strict=True)
        try:
            rows = list(reader)
        except csv.Error:
            rows = [{}]
        if not all(row.get(ENV_STEPS, "").isdecimal() and row.keys() <= set(self._columns) for row in rows):
            raise RunFolderError(f"{self.path} is not the metrics of such a run: move it away, or mend it")
        return rows
