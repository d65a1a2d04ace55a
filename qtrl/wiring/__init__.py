"""From a composed config to objects: the only place, with the entry points, that knows Hydra."""
