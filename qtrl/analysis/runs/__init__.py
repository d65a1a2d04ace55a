"""Finished runs, read from their folders alone and checked for whether they can be compared."""
