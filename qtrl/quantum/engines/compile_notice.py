"""A log line while numba compiles a kernel, since 10 to 30 seconds of silence look like a hang."""

import logging
from typing import Any

from numba.core.event import Event, Listener

LOGGER = logging.getLogger(__name__)


class CompilingNotice(Listener):
    """Logs one line when numba begins to compile one of some functions, and none when it loads one from its cache."""

    def __init__(self, *functions: Any) -> None:
        self._functions = functions

    def on_start(self, event: Event) -> None:
        """Log the line; numba calls it also for functions that a function calls."""
        function = event.data["dispatcher"]
        if any(function is ours for ours in self._functions):
            path = function.stats.cache_path
            no_path = "nowhere to keep it: set NUMBA_CACHE_DIR to a folder that can be written"
            kept = f"kept for later in {path}" if path else no_path
            # A warning, since that is what Python shows where no logging is set up.
            LOGGER.warning("qtrl: compiling the CPU kernel %r takes 10 to 30 s; %s", function.__name__, kept)

    def on_end(self, event: Event) -> None:
        """Do nothing."""
