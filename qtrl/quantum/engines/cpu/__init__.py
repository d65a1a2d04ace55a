"""The compiled kernel of the engine `numba`. It is imported where an executable is made, since numba takes a while."""
