"""Imports of thousands of modules, without the garbage collector walking through them on the way."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting_imports() -> Iterator[None]:
    """Import in the body of the `with` statement what stays until the process ends.

    The garbage collector would walk through half a million objects again and again, and free next to none of them: it
    rests meanwhile, and from then on passes over what is there at the end. Where nothing new was imported it goes on
    as before, so what an earlier job of a multirun left behind is still collected.
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
