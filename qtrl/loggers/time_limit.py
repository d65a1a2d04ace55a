"""Calls that may take only so long."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any


def within(seconds: float, call: Callable[[], Any]) -> Any:
    """Return what `call` returns or raises, or go on without it: it is left behind in a thread of its own.

    Raises:
        TimeoutError: `call` takes longer than `seconds`.
    """
    future: Future = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    if not wait([future], seconds).done:
        raise TimeoutError(f"no answer in {seconds:g} s")
    return future.result()
