"""Import of large libraries with the garbage collector paused, and their objects frozen afterwards (`gc.freeze`)."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting_imports() -> Iterator[None]:
    """Pause the garbage collector in the `with` block, and exclude the objects that exist at its end from collection.

    Otherwise it would traverse the half million objects of torch and its companions again and again and free next to
    none. If nothing was imported nothing is frozen, so garbage of an earlier job of a multirun is still collected.
    """
    enabled, modules = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > modules:
            gc.freeze()
        if enabled:
            gc.enable()
