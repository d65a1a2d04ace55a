"""Collecting transitions, keeping them, and yielding minibatches."""

from qtrl.data.policy import CollectingPolicy
from qtrl.data.replay import STORAGES, Replay
from qtrl.data.schema import Column, transition_columns
from qtrl.data.stream import Schedule, Stream

__all__ = ["STORAGES", "CollectingPolicy", "Column", "Replay", "Schedule", "Stream", "transition_columns"]
