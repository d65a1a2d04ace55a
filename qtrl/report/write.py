"""All files of a report."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from qtrl.errors import RunFolderError
from qtrl.files.atomic import write_bytes, write_text
from qtrl.report.figures import FIGURES, draw_figures
from qtrl.report.page import Text, make_page
from qtrl.report.panels import bands_of
from qtrl.report.runs import Study
from qtrl.report.styles import styles_of
from qtrl.report.table import Row, write_table

PAGE, TABLE = "report.html", "table.csv"


def write_report(
    study: Study, rows: Sequence[Row], out: Path, *, reference: str, title: str, command: str
) -> list[Path]:
    """Write the page, the table and the figures; each file appears whole, in place of that of an earlier report.

    A figure of an earlier report that this one does not have is removed.

    The same runs give the same bytes.

    Args:
        study: The runs.
        rows: The table of the study.
        out: The folder, made where it is missing.
        reference: The label that the others are compared with.
        title: Heading of the page.
        command: What made the report, as the page tells it.

    Returns:
        The files: the page, the table, then the figures.

    Raises:
        RunFolderError: A file cannot be written or removed.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(f"out={out} cannot be written: {error.strerror}; choose another out") from error
    styles, bands = styles_of(study.runs), bands_of(study)
    figures = draw_figures(study, rows, bands, styles, reference=reference)
    page = make_page(study, rows, bands, styles, Text(title, command, reference))
    write_text(out / PAGE, page)
    write_table(rows, out / TABLE)
    for name, picture in figures.items():
        write_bytes(out / name, picture)
    _remove(out / name for name in FIGURES if name not in figures)
    return [out / name for name in (PAGE, TABLE, *figures)]


def _remove(stale: Iterable[Path]) -> None:
    for path in stale:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise RunFolderError(f"{path} of an earlier report cannot be removed: {error.strerror}") from error
