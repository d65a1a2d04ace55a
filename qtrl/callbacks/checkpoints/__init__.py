"""When and how a run is saved, and what of Lightning is kept reproducible."""
