"""The contenders of the side-by-side benchmark, one file for each way of training; a process imports only its own."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from contenders.task import Clock, Task

AS_IT_COMES, WITH_SPIN = "as it comes", "GOMP_SPINCOUNT"
"""Environments of a process: with torch's own waiting threads, or with those that yield early, as qtrl's command does.

The command of qtrl sets the variable by itself; so both are tried on the others, and the faster counts.
"""


@dataclass(frozen=True)
class Contender:
    """One way of training.

    Attributes:
        name: In tables, pictures and on the command line.
        how: What a reader must know of it.
        module: Where its `run(task, clock, *arguments)` is, which trains and returns the replay's full size in MB.
        arguments: The last ones of `run`.
        variants: Environments to try it in.
        packages: What it consists of beside torch and Gymnasium, for the record of versions.
    """

    name: str
    how: str
    module: str
    arguments: tuple[str, ...] = ()
    variants: tuple[str, ...] = (AS_IT_COMES, WITH_SPIN)
    packages: tuple[str, ...] = ()

    @property
    def run(self) -> Callable[..., float]:
        """Import what it needs, and return its function."""
        return import_module(f"contenders.{self.module}").run


SB3 = "Stable-Baselines3 TD3"
CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender(
            SB3,
            "`MlpPolicy`, `net_arch=[256, 256]`, `train_freq=1`, `gradient_steps` = environments, `DummyVecEnv`",
            "stable_baselines3",
            packages=("stable-baselines3",),
        ),
        Contender(
            "CleanRL-style TD3",
            "our own, one file of plain torch with a NumPy replay and `SyncVectorEnv`: `contenders/cleanrl_style.py`",
            "cleanrl_style",
        ),
        Contender(
            "qtrl humanoid_fc",
            "`python -m qtrl.train experiment=humanoid_fc recipe=local`",
            "qtrl_command",
            arguments=("humanoid_fc",),
            variants=(AS_IT_COMES,),
        ),
        Contender(
            "qtrl humanoid_pqc",
            "`python -m qtrl.train experiment=humanoid_pqc recipe=local`: 10 qubits, 220 angles, qtDNN fitted at every "
            "update",
            "qtrl_command",
            arguments=("humanoid_pqc",),
            variants=(AS_IT_COMES,),
        ),
    )
}

__all__ = ["AS_IT_COMES", "CONTENDERS", "SB3", "WITH_SPIN", "Clock", "Contender", "Task"]
