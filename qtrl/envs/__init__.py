"""Environments: an id becomes flat float32 vectors, actions in [-1, 1], seeded, one or many.

Anything that Gymnasium's `make` accepts will do, as long as its action space is a Box of floats with finite bounds;
`docs/environments.md` says what an environment must be, and what is accepted.
"""

from qtrl.envs.endless import EndlessNotice
from qtrl.envs.episodes import Episodes, run_episodes
from qtrl.envs.guards.trial import try_out
from qtrl.envs.make import env_spec, make_env
from qtrl.envs.render import write_video
from qtrl.envs.vectorized.make_vector import VECTORS, make_vector_env
from qtrl.envs.vectorized.vector_env import VectorEnv

__all__ = [
    "VECTORS",
    "EndlessNotice",
    "Episodes",
    "VectorEnv",
    "env_spec",
    "make_env",
    "make_vector_env",
    "run_episodes",
    "try_out",
    "write_video",
]
