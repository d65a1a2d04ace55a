"""All files of a report."""

from collections.abc import Sequence
from pathlib import Path

from qtrl.analysis.drawing.figures import NAMES, draw_figures
from qtrl.analysis.drawing.panels import bands_of
from qtrl.analysis.drawing.styles import styles_of
from qtrl.analysis.page.page import make_page
from qtrl.analysis.page.tables import write_table
from qtrl.analysis.runs.study import Study
from qtrl.analysis.statistics.table import Row
from qtrl.errors import RunFolderError
from qtrl.files.atomic import write_bytes, write_text

PAGE, TABLE = "report.html", "table.csv"


def write_report(
    study: Study, rows: Sequence[Row], out: Path, *, reference: str, title: str, command: str
) -> list[Path]:
    """Write the page, the table and the figures, each with an atomic write, in place of those of an earlier report.

    A figure of an earlier report that this one does not have is removed. The same runs give the same bytes.

    Args:
        study: The runs.
        rows: The table of the study.
        out: The folder, made if it is missing.
        reference: The label that the others are compared with.
        title: Heading of the page.
        command: What made the report, as the page shows it.

    Returns:
        The files: the page, the table, then the figures.

    Raises:
        RunFolderError: A file cannot be written or removed.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(f"out={out} cannot be written: {error.strerror}; choose another out") from error
    styles = styles_of(study.runs)
    drawings = draw_figures(study, rows, bands_of(study), styles, reference=reference)
    page = make_page(study, rows, drawings, styles, reference=reference, title=title, command=command)
    write_text(out / PAGE, page)
    write_table(rows, out / TABLE)
    figures = [out / f"{drawing.name}.png" for drawing in drawings]
    for path, drawing in zip(figures, drawings, strict=True):
        write_bytes(path, drawing.png())
    for stale in {out / f"{name}.png" for name in NAMES}.difference(figures):
        try:
            stale.unlink(missing_ok=True)
        except OSError as error:
            raise RunFolderError(f"{stale} of an earlier report cannot be removed: {error.strerror}") from error
    return [out / PAGE, out / TABLE, *figures]
