"""What happens beside the updates: tests, probes, checkpoints, rows of metrics, progress, summary."""

from qtrl.callbacks.checkpoints.checkpoint_io import AtomicCheckpointIO
from qtrl.callbacks.checkpoints.periodic_checkpoints import Checkpoints
from qtrl.callbacks.checkpoints.preemption import Preemption
from qtrl.callbacks.checkpoints.reproducibility import Reproducibility
from qtrl.callbacks.forecast import Forecast
from qtrl.callbacks.metrics.metric_rows import ExampleRows, MetricRows
from qtrl.callbacks.metrics.probe import Probe
from qtrl.callbacks.metrics.q_guard import QGuard
from qtrl.callbacks.metrics.saturation import SaturationGuard
from qtrl.callbacks.metrics.update_flops import UpdateFlops
from qtrl.callbacks.progress import RunProgress
from qtrl.callbacks.results import TestHistory, TestResult
from qtrl.callbacks.summary import RunSummary
from qtrl.callbacks.testing import Testing, play, test_seeds

__all__ = [
    "AtomicCheckpointIO",
    "Checkpoints",
    "ExampleRows",
    "Forecast",
    "MetricRows",
    "Preemption",
    "Probe",
    "QGuard",
    "Reproducibility",
    "RunProgress",
    "RunSummary",
    "SaturationGuard",
    "TestHistory",
    "TestResult",
    "Testing",
    "UpdateFlops",
    "play",
    "test_seeds",
]
