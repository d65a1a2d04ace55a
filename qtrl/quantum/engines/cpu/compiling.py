"""How the parts of the kernel are compiled: for each other alone, not for Python, and without counting references.

Both take a good part of the time, to compile and to run. So the parts allocate nothing and return no arrays.
"""

from numba import njit

inner = njit(_nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""For functions of arrays and numbers."""

inlined = njit(_nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True, inline="always")
"""For functions that take a whole program or memory, whose many arrays would be passed one by one."""

vectorized = njit(_nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True)
"""For functions of vectors."""
