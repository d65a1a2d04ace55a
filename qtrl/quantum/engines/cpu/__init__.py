"""The compiled kernel of the engine `numba`; its modules import numba, so they are imported where they are needed."""
