"""Files on disk: atomic writes, reading of untrusted files, checkpoints."""
