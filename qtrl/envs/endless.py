"""A word to whoever brings an environment without a time limit whose episodes do not end."""

import sys
from collections.abc import Callable

from qtrl.specs import EnvSpec

PATIENCE = 10_000
"""Env steps of an environment within which an episode should end."""


class EndlessNotice:
    """Say once that episodes do not end.

    Args:
        spec: The environment; one with a time limit is never spoken of.
    """

    def __init__(self, spec: EnvSpec) -> None:
        self._env_id, self._quiet = spec.env_id, spec.max_episode_steps is not None

    def tell(self, found: str) -> None:
        """Say what was found, unless something was said before."""
        if not self._quiet:
            self._quiet = True
            line = f"qtrl: {self._env_id} has no time limit, and {found}: set env.max_episode_steps"
            print(line, file=sys.stderr, flush=True)

    def watch(self, ended: Callable[[], int], env_steps: int) -> Callable[[int], None]:
        """Return what is called with all env steps so far, and speaks if after `env_steps` no episode has `ended`."""

        def listen(made: int) -> None:
            if not self._quiet and made >= env_steps:
                if not ended():
                    self.tell(f"no episode of training has ended in {made:,} env steps")
                self._quiet = True

        return listen
