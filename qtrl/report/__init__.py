"""Pictures of finished runs, made from their run folders alone."""

from qtrl.report.learning_curve import draw_learning_curve

__all__ = ["draw_learning_curve"]
