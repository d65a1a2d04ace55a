"""The report as one HTML page that loads nothing: its style, its scripts and its data are inside.

What run folders say is escaped by the template, and cannot run as a script: the page's policy allows its own scripts
by their hashes, and no connection to anywhere.
"""

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qtrl.report import page_tables, plots
from qtrl.report.page_tables import interval, number, shown_path
from qtrl.report.panels import Bands
from qtrl.report.plots import Plot
from qtrl.report.runs import Study
from qtrl.report.styles import Style
from qtrl.report.table import Row

UNSAFE_IN_SCRIPT = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


@dataclass(frozen=True)
class Text:
    """What the page says besides the study.

    Attributes:
        title: Its heading.
        command: What made it.
        reference: The label that the others are compared with.
    """

    title: str
    command: str
    reference: str


def make_page(study: Study, rows: Sequence[Row], bands: Bands, styles: Mapping[str, Style], text: Text) -> str:
    """Return the page as HTML.

    Args:
        study: The runs.
        rows: The table of the study.
        bands: What is drawn over env steps.
        styles: The style of each label.
        text: What the page says besides.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=PackageLoader("qtrl.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "shown_path": shown_path}
    figures = _figures(study, rows, bands, styles, text.reference)
    # A browser hashes a script as parsed, with every line break one character.
    scripts = [get_plotlyjs().replace("\r\n", "\n"), _own_file("report.js")]
    compared = [row for row in rows if row.block != text.reference]
    page = environment.get_template("report.html").render(
        study=study,
        rows=rows,
        reference=next(row for row in rows if row.block == text.reference),
        compared=compared,
        tables={
            "returns": page_tables.returns(rows, study.facts),
            "comparisons": page_tables.comparisons(compared, reference=styles[text.reference].text),
            "runs": page_tables.every_run(study),
            "costs": page_tables.costs(rows),
        },
        interval=interval,
        styles=styles,
        text=text,
        plots=figures,
        style=_own_file("report.css"),
        scripts=scripts,
        policy=policy(scripts),
        data=embedded(figures),
    )
    return page.encode(errors="backslashreplace").decode()  # names of files may hold what UTF-8 cannot


def _figures(
    study: Study, rows: Sequence[Row], bands: Bands, styles: Mapping[str, Style], reference: str
) -> dict[str, list[Plot]]:
    others = [row for row in rows if row.block != reference and math.isfinite(row.probability_of_improvement)]
    return {
        "returns": [plots.returns(study, rows, styles)],
        "learning": [plots.learning_curves(bands, styles)],
        "improvement": [plots.improvement(others, styles, reference=reference)] if others else [],
        "paper": plots.paper_panels(bands, styles),
        "gap": [plots.gap(bands, styles)],
    }


def _own_file(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")


def policy(scripts: Sequence[str]) -> str:
    """Return a Content-Security-Policy under which these scripts run and nothing is fetched."""
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def embedded(figures: Mapping[str, Sequence[Plot]]) -> str:
    """Return all figures as JSON that can stand in a script element, whatever texts they hold."""
    plain = {plot.name: json.loads(plot.figure) for group in figures.values() for plot in group}
    return json.dumps(plain, allow_nan=False, separators=(",", ":")).translate(UNSAFE_IN_SCRIPT)
