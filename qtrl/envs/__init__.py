"""Environments: an id becomes flat float32 vectors, actions in [-1, 1], seeded, one or many.

Anything that Gymnasium's `make` accepts will do, as long as its action space is a Box of floats with finite bounds.
"""

from qtrl.envs.episodes import Episodes, run_episodes
from qtrl.envs.make import env_spec, make_env
from qtrl.envs.render import write_video
from qtrl.envs.vector import VECTORS, make_vector_env
from qtrl.envs.vector_env import VectorEnv

__all__ = ["VECTORS", "Episodes", "VectorEnv", "env_spec", "make_env", "make_vector_env", "run_episodes", "write_video"]
