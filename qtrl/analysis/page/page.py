"""The report as one HTML page that loads nothing and runs no script.

What run folders say is escaped by the template, and the page's content security policy allows no script at all.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from qtrl.analysis.drawing.figures import Drawing
from qtrl.analysis.drawing.styles import DARK, DASHES, LIGHT, Style
from qtrl.analysis.page import tables
from qtrl.analysis.runs.study import Study
from qtrl.analysis.statistics.table import Row

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""Content security policy of the page."""


def make_page(
    study: Study,
    rows: Sequence[Row],
    drawings: Sequence[Drawing],
    styles: Mapping[str, Style],
    *,
    reference: str,
    title: str,
    command: str,
) -> str:
    """Return the page as HTML.

    Args:
        study: The runs.
        rows: The table of the study.
        drawings: The figures.
        styles: The style of each label.
        reference: The label that the others are compared with.
        title: Heading of the page.
        command: What made the report.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("qtrl.analysis.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": tables.number}
    compared = [row for row in rows if row.block != reference]
    page = environment.get_template("report.html").render(
        study=study,
        rows=rows,
        reference=next(row for row in rows if row.block == reference),
        compared=compared,
        tables=tables.page_tables(study, rows, compared, reference=styles[reference].text),
        interval=tables.interval,
        drawings=drawings,
        styles=styles,
        palettes={"light": LIGHT, "dark": DARK},
        dashes=DASHES,
        title=title,
        command=command,
        style=(Path(__file__).parent / "templates" / "report.css").read_text(encoding="utf-8"),
        policy=POLICY,
    )
    return page.encode(errors="backslashreplace").decode()  # file names may hold what UTF-8 cannot encode
