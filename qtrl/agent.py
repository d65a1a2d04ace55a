"""A trained agent in a program of one's own: `agent = qtrl.load("runs/NAME")`, `action = agent.act(observation)`."""

from qtrl.loaded.agent import Agent
from qtrl.loaded.load import load

__all__ = ["Agent", "load"]
