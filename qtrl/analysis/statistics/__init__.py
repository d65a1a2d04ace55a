"""Statistics with the seed as the unit (and, for one policy under several conditions, the episode)."""
