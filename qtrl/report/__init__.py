"""What finished runs show: pictures, statistics over seeds and tables, made from their run folders alone."""

from qtrl.report.learning_curve import draw_learning_curve
from qtrl.report.run_files import Curve, RunResult
from qtrl.report.runs import Skipped, Study, read_study
from qtrl.report.statistics import (
    Band,
    Interval,
    band,
    holm,
    iqm,
    iqm_interval,
    permutation_p_value,
    probability_of_improvement,
    probability_of_improvement_interval,
    smallest_detectable_difference,
    smallest_p_value,
)
from qtrl.report.table import Row, format_table, table, write_table

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
