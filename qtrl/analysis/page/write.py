"""All files of a report: an HTML page that loads nothing and runs no script, the table and the figures."""

from collections.abc import Sequence
from pathlib import Path

from qtrl.analysis.drawing.export import to_png
from qtrl.analysis.drawing.figures import NAMES, Drawing, draw_figures
from qtrl.analysis.drawing.styles import DARK, DASHES, LIGHT, styles_of
from qtrl.analysis.page import tables
from qtrl.analysis.runs.study import Study
from qtrl.analysis.statistics.levels import LevelRow
from qtrl.analysis.statistics.table import Row
from qtrl.errors import RunFolderError
from qtrl.files.atomic import write_bytes, write_text

PAGE, TABLE, LEVELS = "report.html", "table.csv", "levels.csv"


def write_report(
    study: Study,
    rows: Sequence[Row],
    out: Path,
    *,
    reference: str,
    title: str,
    command: str,
    levels: Sequence[LevelRow] = (),
) -> list[Path]:
    """Write the page, the tables and the figures, each with an atomic write, in place of those of an earlier report.

    A file of an earlier report that this one does not have is removed. The same runs give the same bytes. `rows` are
    the table of the study, compared with the label `reference`, and `levels` that of the times to a level; the page has
    the heading `title`, and names the `command` that made it. The folder `out` is made if it is missing. Returned are
    the files: page, tables, figures.

    Raises:
        RunFolderError: A file cannot be written or removed.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(f"out={out} cannot be written: {error.strerror}; choose another out") from error
    drawings = draw_figures(study, rows, reference=reference)
    words = {"reference": reference, "title": title, "command": command}
    write_text(out / PAGE, make_page(study, rows, drawings, levels=levels, **words))
    tables.write_table(rows, out / TABLE)
    written = [out / TABLE]
    if levels:
        tables.write_table(levels, out / LEVELS, LevelRow)
        written.append(out / LEVELS)
    figures = [out / f"{drawing.name}.png" for drawing in drawings]
    for path, drawing in zip(figures, drawings, strict=True):
        write_bytes(path, to_png(drawing.figure))
    for stale in {out / LEVELS, *(out / f"{name}.png" for name in NAMES)}.difference(figures, written):
        try:
            stale.unlink(missing_ok=True)
        except OSError as error:
            raise RunFolderError(f"{stale} of an earlier report cannot be removed: {error.strerror}") from error
    return [out / PAGE, *written, *figures]


def make_page(
    study: Study,
    rows: Sequence[Row],
    drawings: Sequence[Drawing],
    *,
    reference: str,
    title: str,
    command: str,
    levels: Sequence[LevelRow] = (),
) -> str:
    """Return the page as HTML; arguments as those of `write_report`."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("qtrl.analysis.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": tables.number, "path": tables.shown_path}
    page = environment.get_template("report.html").render(
        study=study,
        measure=study.measure,
        rows=rows,
        levels=levels,
        reference=next(row for row in rows if row.block == reference),
        compared=[row for row in rows if row.block != reference],
        interval=tables.interval,
        drawings=drawings,
        styles=styles_of(study.runs),
        palettes={"light": LIGHT, "dark": DARK},
        dashes=DASHES,
        title=title,
        command=command,
        style=(Path(__file__).parent / "templates" / "report.css").read_text(encoding="utf-8"),
        policy="default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'",
    )
    return page.encode(errors="backslashreplace").decode()  # file names may hold what UTF-8 cannot encode
