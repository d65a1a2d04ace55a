"""Collecting transitions, keeping them, and yielding minibatches."""

from qtrl.data.collector import COLLECTORS, Collector, DirectCollector, TorchRLCollector, check_collector
from qtrl.data.exploration import Exploration, GaussianNoise
from qtrl.data.policy import CollectingPolicy
from qtrl.data.replay import Replay
from qtrl.data.rows import STORAGES, storage_named
from qtrl.data.schedule import Schedule
from qtrl.data.schema import Column, transition_columns
from qtrl.data.space import check_space
from qtrl.data.stream import Stream

__all__ = [
    "COLLECTORS",
    "STORAGES",
    "CollectingPolicy",
    "Collector",
    "Column",
    "DirectCollector",
    "Exploration",
    "GaussianNoise",
    "Replay",
    "Schedule",
    "Stream",
    "TorchRLCollector",
    "check_collector",
    "check_space",
    "storage_named",
    "transition_columns",
]
