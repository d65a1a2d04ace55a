"""The kernels of the engine `triton`. They are imported where an executable is made, since Triton may be missing."""
