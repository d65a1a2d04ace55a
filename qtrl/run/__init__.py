"""One training run: resolve its config, lock its folder, start from a checkpoint, train, return the result."""
