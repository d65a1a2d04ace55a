"""What an update of TD3 calls: its networks, or what `torch.compile` makes of them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from qtrl.algos.td3_loss import critic_loss, td_target
from qtrl.nn import QuantumLayers, TDLoss, TDRows


class UpdateNetworks:
    """Actor and critics as functions.

    Args:
        layers: The actor's quantum layers. Circuits are not compiled, nor is an actor that runs them.
        critic: The twin critics. `td_loss` and `project_`, where they have them, take the places of the mean squared
            error and of nothing.
        critic_target: Their targets.
        mode: Of `torch.compile`; None runs networks as they are.

    Attributes:
        act: Maps actor, observations (B, O) and a generator to actions (B, A).
        act_unbounded: The same, before tanh.
        first_value: Maps observations and actions to the first critic's values (B,).
        target_values: Maps them to both targets' values, (B,) each.
        td_loss: Maps `TDRows` to a `TDLoss`.
        project: Called after each step of the critics.
    """

    def __init__(self, layers: QuantumLayers, critic: Any, critic_target: Any, mode: str | None) -> None:
        def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
            return torch.compile(function, mode=mode) if mode else function

        runs_circuits = layers.cost(1, gradient=True).circuits > 0
        self.act, self.act_unbounded = (act if runs_circuits else compiled(act) for act in (_act, _act_unbounded))
        self.first_value, self._values = compiled(critic.first), compiled(critic.forward)
        self.target_values = compiled(critic_target.forward)
        own_loss = getattr(critic, "td_loss", None)
        self.td_loss = compiled(partial(own_loss, critic_target)) if own_loss else self._mean_squared_error
        self.project = getattr(critic, "project_", lambda: None)
        for layer in layers.values() if mode else ():
            for net in layer.estimator.children():
                net.compile(mode=mode)

    def _mean_squared_error(self, rows: TDRows) -> TDLoss:
        """Compare both values with the smaller target value."""
        with torch.no_grad():
            next_q1, next_q2 = self.target_values(rows.next_observation, rows.next_action)
            target = td_target(rows.reward, rows.terminated, next_q1, next_q2, rows.gamma)
        q1, q2 = self._values(rows.observation, rows.action)
        return TDLoss(critic_loss(q1, q2, target, rows.weight), q1.detach(), q2.detach(), target)


def _act(actor: nn.Module, observation: Tensor, generator: torch.Generator) -> Tensor:
    return actor(observation, generator)


def _act_unbounded(actor: Any, observation: Tensor, generator: torch.Generator) -> Tensor:
    return actor.unbounded(observation, generator)
