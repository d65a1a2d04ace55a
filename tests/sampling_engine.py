"""An engine that can only sample, as hardware does: it stands in for one in the contract tests."""

import torch
from torch import Tensor

from qtrl.quantum import GATES, Capabilities, Circuit, Engine, Executable, make_engine


class SamplingExecutable(Executable):
    """Draws from a simulator's probabilities, a limited number of shots in each job."""

    def __init__(self, circuit: Circuit, engine: "SamplingEngine") -> None:
        super().__init__(circuit, engine)
        self._simulator = make_engine("statevector").prepare(circuit)
        self._shots_per_job = engine.shots_per_job
        self.jobs = 0

    def _sample(self, angles: Tensor, shots: int, generator: torch.Generator) -> Tensor:
        jobs = [min(self._shots_per_job, shots - first) for first in range(0, shots, self._shots_per_job)]
        self.jobs += len(jobs)
        return torch.cat([self._simulator._sample(angles, job, generator) for job in jobs], dim=1)


class SamplingEngine(Engine):
    """Exposes samples alone.

    Args:
        shots_per_job: The most shots that one job may ask for.
    """

    name = "sampling"
    capabilities = Capabilities(
        frozenset(GATES),
        max_qubits=20,
        differentiable=False,
        double_precision=True,
        devices=frozenset({"cpu"}),
        exact=False,
    )

    def __init__(self, shots_per_job: int = 1000) -> None:
        self.shots_per_job = shots_per_job

    def _build(self, circuit: Circuit) -> Executable:
        return SamplingExecutable(circuit, self)
