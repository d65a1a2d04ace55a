"""What happens beside the updates: tests, checkpoints, rows of metrics, progress, summary."""

from qtrl.callbacks.checkpoint_io import AtomicCheckpointIO, read_checkpoint
from qtrl.callbacks.checkpoints import Checkpoints
from qtrl.callbacks.metric_rows import MetricRows
from qtrl.callbacks.progress import RunProgress
from qtrl.callbacks.summary import RunSummary
from qtrl.callbacks.testing import Testing, TestResult, play, test_seeds

__all__ = [
    "AtomicCheckpointIO",
    "Checkpoints",
    "MetricRows",
    "RunProgress",
    "RunSummary",
    "TestResult",
    "Testing",
    "play",
    "read_checkpoint",
    "test_seeds",
]
