"""When something is due that happens every so many env steps."""


class Every:
    """Tell at which calls a multiple of `env_steps` has been reached or passed.

    Args:
        env_steps: The interval.
    """

    def __init__(self, env_steps: int) -> None:
        self._interval, self._last = env_steps, 0

    def start(self, env_steps: int) -> None:
        """Begin to count at `env_steps`: what was due until then was done."""
        self._last = env_steps

    def due(self, env_steps: int) -> bool:
        """Tell whether a multiple of the interval lies between the previous call and this one."""
        passed = env_steps // self._interval > self._last // self._interval
        self._last = env_steps
        return passed
