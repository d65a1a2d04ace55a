"""The numbers of TD3."""

from dataclasses import dataclass

from qtrl.algos.decay import Decay
from qtrl.errors import ConfigError


@dataclass(frozen=True)
class TD3Settings:
    """The numbers that the update needs; reasons for the defaults stand in docs/algorithm.md.

    Attributes:
        gamma: Discount in [0, 1].
        tau: Weight of the new parameters in the targets' Polyak average, in (0, 1].
        policy_delay: Updates of the critics for each one of the actor.
        target_noise: Standard deviation of the target action's noise, in units of actions in [-1, 1].
        target_noise_clip: Largest magnitude of that noise.
        angle_penalty: What a squared distance of 1 rad² of a row's angles from the base point costs in the actor's
            loss, in units of the mean magnitude of the first critic's values.
        preactivation_penalty: What a mean square of 1 of what the actor's tanh receives costs there, in the same units.
        lr_decay: How the learning rates of critics and actor fall over the run, one of `qtrl.algos.decay.SHAPES`; None
            leaves them. The qtDNN has to follow its circuit to the end, and keeps its rate.
        lr_final: The fraction of them that is left at its end.
    """

    gamma: float = 0.99
    tau: float = 0.005
    policy_delay: int = 2
    target_noise: float = 0.2
    target_noise_clip: float = 0.5
    angle_penalty: float = 0.0
    preactivation_penalty: float = 0.0
    lr_decay: str | None = None
    lr_final: float = 0.1

    def __post_init__(self) -> None:
        limits = {
            "gamma": 0 <= self.gamma <= 1,
            "tau": 0 < self.tau <= 1,
            "policy_delay": self.policy_delay >= 1,
            "target_noise": self.target_noise >= 0,
            "target_noise_clip": self.target_noise_clip >= 0,
            "angle_penalty": self.angle_penalty >= 0,
            "preactivation_penalty": self.preactivation_penalty >= 0,
        }
        for name, holds in limits.items():
            if not holds:
                raise ConfigError(f"{name}={getattr(self, name)!r} is out of range; see docs/algorithm.md")
        _ = self.decay

    @property
    def decay(self) -> Decay | None:
        """How learning rates fall; None where they do not."""
        return Decay(self.lr_decay, self.lr_final, ("critic", "actor")) if self.lr_decay else None
