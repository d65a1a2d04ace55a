"""Lightning loggers: `metrics.csv` and Weights & Biases."""

from qtrl.loggers.csv import MetricsCSV
from qtrl.loggers.wandb import WandbRun

__all__ = ["MetricsCSV", "WandbRun"]
