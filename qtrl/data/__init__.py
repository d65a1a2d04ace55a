"""Collecting transitions, keeping them, and yielding minibatches: TorchRL's collector and buffer, with checkpoints."""

from qtrl.data.collector import Collector, InProcessCollector
from qtrl.data.exploration import Exploration, GaussianNoise, HeldNoise, SpreadNoise
from qtrl.data.graphed_acting import GraphedActing
from qtrl.data.policy import CollectingPolicy
from qtrl.data.process_collector import ProcessCollector
from qtrl.data.replay import Replay, all_columns
from qtrl.data.returns.discounted_returns import DiscountedReturns
from qtrl.data.returns.n_step import NStep
from qtrl.data.schedule import Schedule
from qtrl.data.schema import Column, transition_columns
from qtrl.data.storage.capacity import check_allocation, check_capacity, replay_bytes
from qtrl.data.storage.row_storage import STORAGES, in_memory, storage_device
from qtrl.data.stream import Stream

__all__ = [
    "STORAGES",
    "CollectingPolicy",
    "Collector",
    "Column",
    "DiscountedReturns",
    "Exploration",
    "GaussianNoise",
    "GraphedActing",
    "HeldNoise",
    "InProcessCollector",
    "NStep",
    "ProcessCollector",
    "Replay",
    "Schedule",
    "SpreadNoise",
    "Stream",
    "all_columns",
    "check_allocation",
    "check_capacity",
    "in_memory",
    "replay_bytes",
    "storage_device",
    "transition_columns",
]
