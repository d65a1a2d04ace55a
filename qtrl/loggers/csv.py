"""Metrics as a CSV file that grows by appending, so that it outlives a crash and a resume."""

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


class MetricsCSV(Logger):
    """Append one row for each call; columns are fixed, cells of metrics not in the call stay empty.

    Lightning's own CSV logger deletes the file of a resumed run, and rewrites it whenever a new metric appears.
    """

    name, version = "csv", ""

    def __init__(self, path: Path, columns: Sequence[str] = METRICS) -> None:
        super().__init__()
        self.path, self._columns = path, columns
        self.row_count = 0
        """Rows of the file so far."""

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the run folder holds the config."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append one row; `metrics` holds `env_steps`, and `step` is not used.

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
            told = f"{error.strerror}; mend that, then go on with resume=true"
            raise RunFolderError(f"{self.path} cannot be written: {told}") from error
        self.row_count += 1

    def truncate(self, rows: int) -> None:
        """Keep the first `rows` rows: those after a checkpoint are written again by the run that goes on from it.

        Raises:
            RunFolderError: It is not the file of such a run.
        """
        if self.path.exists():
            kept, text = self._read()[:rows], io.StringIO(newline="")
            writer = csv.DictWriter(text, self._columns)
            writer.writeheader()
            writer.writerows(kept)
            write_text(self.path, text.getvalue())
            self.row_count = len(kept)

    def _read(self) -> list[dict[str, str]]:
        """Read the rows, but for the last line where it has no end."""
        whole, _, _ = read_regular(self.path, limit=2**30).decode(errors="replace").rpartition("\n")
        try:
            rows = list(csv.DictReader(whole.splitlines(), strict=True))
        except csv.Error:
            rows = [{}]
        if not all(row.get(ENV_STEPS, "").isdecimal() and row.keys() <= set(self._columns) for row in rows):
            raise RunFolderError(f"{self.path} is not the metrics of such a run: move it away, or mend it")
        return rows
