"""Configs: where they lie, what they may hold, what of a saved one is trusted, and how they become objects."""
