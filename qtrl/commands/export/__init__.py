"""Trained agents and models without their runs: as a folder that qtrl reads, or as a function in ONNX."""
