"""Analysis of finished runs: statistics over seeds, tables, figures and a page, made from their run folders alone."""

from qtrl.analysis.drawing.learning_curve import draw_learning_curve
from qtrl.analysis.page.tables import format_table, write_table
from qtrl.analysis.runs.reading import Curve, RunResult
from qtrl.analysis.runs.study import Skipped, Study, read_study
from qtrl.analysis.statistics.bands import Band, band
from qtrl.analysis.statistics.estimates import (
    Interval,
    iqm,
    iqm_interval,
    probability_of_improvement,
    probability_of_improvement_interval,
)
from qtrl.analysis.statistics.significance import (
    holm,
    permutation_p_value,
    smallest_detectable_difference,
    smallest_p_value,
)
from qtrl.analysis.statistics.table import Row, table

__all__ = [
    "Band",
    "Curve",
    "Interval",
    "Row",
    "RunResult",
    "Skipped",
    "Study",
    "band",
    "draw_learning_curve",
    "format_table",
    "holm",
    "iqm",
    "iqm_interval",
    "permutation_p_value",
    "probability_of_improvement",
    "probability_of_improvement_interval",
    "read_study",
    "smallest_detectable_difference",
    "smallest_p_value",
    "table",
    "write_table",
]
