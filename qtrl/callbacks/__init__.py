"""What happens beside the updates: tests, probes, checkpoints, rows of metrics, progress, summary."""

from qtrl.callbacks.checkpoint_io import AtomicCheckpointIO
from qtrl.callbacks.checkpoints import Checkpoints
from qtrl.callbacks.forecast import Forecast
from qtrl.callbacks.metric_rows import MetricRows
from qtrl.callbacks.preemption import Preemption
from qtrl.callbacks.probe import Probe
from qtrl.callbacks.progress import RunProgress
from qtrl.callbacks.q_guard import QGuard
from qtrl.callbacks.reproducibility import Reproducibility
from qtrl.callbacks.results import TestHistory, TestResult
from qtrl.callbacks.saturation import SaturationGuard
from qtrl.callbacks.summary import RunSummary
from qtrl.callbacks.testing import Testing, play, test_seeds
from qtrl.callbacks.update_flops import UpdateFlops

__all__ = [
    "AtomicCheckpointIO",
    "Checkpoints",
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
