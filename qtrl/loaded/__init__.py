"""What a run has learned, in a program of one's own: an agent that acts, or a model that predicts."""

from qtrl.loaded.load import load

__all__ = ["load"]
