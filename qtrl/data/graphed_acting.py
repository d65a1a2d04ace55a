"""Acting as CUDA graphs: from observations on the host to what an actor makes of them, in one launch and one copy back.

Shapes: `N` environments, `O` observation.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from qtrl.errors import ConfigError
from qtrl.process.cuda_graphs import WARMUP, CudaRecorder

Act = Callable[[Tensor], Sequence[Tensor]]
"""Maps observations (N, O) on the device to tensors (N, k) there."""


@dataclass(frozen=True)
class Recorded:
    """Acting for one number of environments.

    Attributes:
        replay: Launches it again.
        given: Where it reads observations, (N, O).
        found: Where it writes the tensors that it returns, side by side.
    """

    replay: Callable[[], None]
    given: Tensor
    found: Tensor


class GraphedActing:
    """Act as it is for the first calls of each kind and shape, record the next, and replay it from then on.

    A replay reads the weights where they lie, so steps of an optimizer and copies into them are seen; its draws come
    from the same generators. Plain numbers, such as the size of a noise, stay as they were recorded.

    Args:
        act: Launches the same kernels for all observations of one kind and shape, and waits for none.
        device: Where it acts.
        generators: Returns all that it draws from, once it was called.
        recorder: Records what a function launches.
    """

    def __init__(
        self,
        act: Act,
        device: torch.device,
        generators: Callable[[], list[torch.Generator]],
        recorder: CudaRecorder | None = None,
    ) -> None:
        self._act, self._device, self._generators = act, device, generators
        self._recorder = recorder or CudaRecorder()
        self._made: Counter[Hashable] = Counter()
        self._widths: dict[Hashable, list[int]] = {}
        self._recorded: dict[Hashable, Recorded] = {}

    @torch.no_grad()
    def __call__(self, observation: Tensor, kind: Hashable = None) -> list[Tensor]:
        """Return on the host what `act` makes of observations (N, O) from there; each kind has its own graphs.

        Raises:
            ConfigError: It cannot be recorded.
        """
        key = (kind, observation.shape)
        if key not in self._recorded:
            if self._made[key] < WARMUP:
                return self._act_as_it_is(key, observation)
            self._recorded[key] = self._record(key, observation)
        recorded = self._recorded[key]
        recorded.given.copy_(observation, non_blocking=True)
        recorded.replay()
        return [part.contiguous() for part in recorded.found.cpu().split(self._widths[key], dim=1)]

    def _act_as_it_is(self, key: Hashable, observation: Tensor) -> list[Tensor]:
        self._made[key] += 1
        with self._recorder.stream():
            parts = [part.cpu() for part in self._act(observation.to(self._device))]
        self._widths[key] = [part.shape[1] for part in parts]
        return parts

    def _record(self, key: Hashable, observation: Tensor) -> Recorded:
        given = observation.to(self._device)
        found = given.new_empty(len(given), sum(self._widths[key]))

        def act() -> None:
            torch.cat(list(self._act(given)), dim=1, out=found)

        try:
            return Recorded(self._recorder.record(act, self._generators()), given, found)
        except RuntimeError as error:  # CUDA's, when something waits or comes from the host
            reason = str(error).strip().partition("\n")[0]
            hint = "set data.policy_device=cpu, or algo.cuda_graphs=false"
            raise ConfigError(f"algo.cuda_graphs=true: acting cannot be recorded ({reason}): {hint}") from error
