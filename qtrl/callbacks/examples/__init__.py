"""Tests of supervised learning: predictions with real blocks, scores, and the files that they are written to."""

from qtrl.callbacks.examples.example_tests import ExampleTests
from qtrl.callbacks.examples.predictions import predict, scale_of, write_predictions, write_surface
from qtrl.callbacks.examples.scores import Scores, score

__all__ = ["ExampleTests", "Scores", "predict", "scale_of", "score", "write_predictions", "write_surface"]
