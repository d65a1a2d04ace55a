"""Trained agents without their runs: as a folder that qtrl plays, or as a policy in ONNX."""
