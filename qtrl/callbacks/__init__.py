"""What happens beside the updates: tests, probes, checkpoints, rows of metrics, progress, summary."""

from qtrl.callbacks.checkpoint_io import AtomicCheckpointIO, read_checkpoint
from qtrl.callbacks.checkpoints import Checkpoints
from qtrl.callbacks.metric_rows import MetricRows
from qtrl.callbacks.probe import Probe
from qtrl.callbacks.progress import RunProgress
from qtrl.callbacks.summary import RunSummary
from qtrl.callbacks.testing import Testing, TestResult, play, test_seeds

__all__ = [
    "AtomicCheckpointIO",
    "Checkpoints",
    "MetricRows",
    "Probe",
    "RunProgress",
    "RunSummary",
    "TestResult",
    "Testing",
    "play",
    "read_checkpoint",
    "test_seeds",
]
