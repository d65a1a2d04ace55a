"""One seed in, an independent random stream out for each purpose and rank."""

import hashlib
import random
from typing import Any

import numpy as np
import torch

from qtrl.errors import CheckpointError


def seed_for(seed: int, purpose: str, rank: int = 0) -> int:
    """Derive the seed of one random stream from a run's, so that no two purposes share or shift each other's draws.

    Args:
        seed: The run's seed.
        purpose: What is drawn, for example `shots` or `target_noise`.
        rank: The process's rank, for streams that must differ between processes.

    Returns:
        An integer in [0, 2**63), the same on every machine and Python version.
    """
    digest = hashlib.sha256(f"{seed}/{purpose}/{rank}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


class Generators:
    """Random generators of a run's process by purpose, each made on the device where it is first used."""

    def __init__(self, seed: int, rank: int = 0) -> None:
        self._seed, self._rank = seed, rank
        self._made: dict[str, torch.Generator] = {}
        self._restored: dict[str, torch.Tensor] = {}

    def get(self, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
        """Return the generator of one purpose.

        Raises:
            CheckpointError: The state that it goes on from is not one of its kind.
        """
        if purpose not in self._made:
            generator = torch.Generator(device).manual_seed(seed_for(self._seed, purpose, self._rank))
            if purpose in self._restored:
                _set_state(purpose, generator, self._restored.pop(purpose))
            self._made[purpose] = generator
        return self._made[purpose]

    def on(self, device: torch.device) -> list[torch.Generator]:
        """Return the generators that have been made on a device."""
        return [generator for generator in self._made.values() if generator.device == device]

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the random states by purpose."""
        return self._restored | {purpose: generator.get_state() for purpose, generator in self._made.items()}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Take back what `state_dict` returned; a generator not made yet takes its state when it is."""
        self._restored = dict(state)
        for purpose in self._made.keys() & state.keys():
            _set_state(purpose, self._made[purpose], self._restored.pop(purpose))


def _set_state(purpose: str, generator: torch.Generator, state: object) -> None:
    try:
        generator.set_state(state)  # type: ignore[arg-type]
    except (TypeError, RuntimeError) as error:
        raise CheckpointError(f"the checkpoint's random state for {purpose} is none; was it edited?") from error


def random_states() -> dict[str, Any]:
    """Return the states of the global generators of Python, NumPy and torch, as plain data and tensors."""
    name, keys, position, has_gauss, gauss = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(np.asarray(keys, np.int64)), position, has_gauss, gauss),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_random_states(states: dict[str, Any]) -> None:
    """Take back what `random_states` returned; states of GPUs that are not there are left out."""
    random.setstate(states["python"])
    name, keys, *rest = states["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    for index, state in enumerate(states["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(state, index)
