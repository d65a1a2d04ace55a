"""Lightning loggers: `metrics.csv`, TensorBoard and Weights & Biases."""

from qtrl.loggers.csv import MetricsCSV
from qtrl.loggers.tensorboard import TensorBoard
from qtrl.loggers.wandb import WandbRun

__all__ = ["MetricsCSV", "TensorBoard", "WandbRun"]
