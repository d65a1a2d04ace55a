"""TD3 with a hybrid actor, whose quantum layers are replaced by their qtDNNs wherever gradients must pass.

Sources: the order of the update is that of the paper (arXiv:2503.09119, section 3); the losses of critics and actor are
TD3's (arXiv:1802.09477, algorithm 1).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from tensordict import TensorDict
from torch import Tensor, nn
from torch.optim import Optimizer

from qtrl.algos.algorithm import Algorithm
from qtrl.algos.graphed_update import GraphedUpdate
from qtrl.algos.mechanics import MakeOptimizer, UpdateMechanics
from qtrl.algos.settings import TD3Settings
from qtrl.algos.surrogate_fits import SurrogateFits
from qtrl.algos.td3_loss import (
    actor_loss,
    angle_penalty,
    preactivation_penalty,
    saturated_share,
    smoothed_action,
)
from qtrl.algos.td_rows import td_rows
from qtrl.algos.update_networks import UpdateNetworks
from qtrl.errors import ConfigError
from qtrl.keys import NEXT_OBSERVATION, OBSERVATION, pair_keys
from qtrl.meters import RunMeters
from qtrl.nn import (
    approximated,
    classical_parameters,
    estimator_parameters,
    held_fixed,
    polyak_,
    quantum_layers,
    reward_scales,
    running_norms,
    target_copy,
    update_norms,
)
from qtrl.specs import Batch


class TD3(Algorithm):
    """One update: fit the qtDNNs, TD learning of both critics, every so often the actor and the targets.

    Args:
        actor: The actor that also collects: maps observations (B, O) and a generator to actions (B, A). It may hold any
            number of quantum layers.
        critic: The twin critics. `td_loss`, where they have it, takes the place of the mean squared error; `project_`
            is called after each of their steps.
        actor_optimizer: Makes the optimizer of the actor, trainable blocks included.
        critic_optimizer: Makes the optimizer of both critics.
        surrogate_optimizer: Makes the optimizer of the estimators, where they have parameters.
        max_gradient_norm: The gradients of critics, actor and each estimator are scaled down to it; None leaves them.
        compile_mode: A mode of `torch.compile` for networks and gradients of the update; None runs them as they are.
        cuda_graphs: Whether updates are replayed as CUDA graphs, see `GraphedUpdate`.
        meters: Where time and circuits are booked.
        seed: The run's seed.
        rank: The process's rank; noise differs between ranks.
        settings: The fields of `TD3Settings`.

    Raises:
        ConfigError: A setting is out of range, or an optimizer cannot be made.
    """

    def __init__(
        self,
        actor: nn.Module,
        critic: Any,
        *,
        actor_optimizer: MakeOptimizer,
        critic_optimizer: MakeOptimizer,
        surrogate_optimizer: MakeOptimizer,
        max_gradient_norm: float | None = None,
        compile_mode: str | None = None,
        cuda_graphs: bool = False,
        meters: RunMeters | None = None,
        seed: int = 0,
        rank: int = 0,
        **settings: Any,
    ) -> None:
        super().__init__()
        self.settings = TD3Settings(**settings)
        if self.settings.preactivation_penalty and not hasattr(actor, "unbounded"):
            raise ConfigError(f"algo.preactivation_penalty needs `unbounded` of {type(actor).__name__}: set it to 0")
        self.actor, self.critic = actor, critic
        self.actor_target, self.critic_target = target_copy(actor), target_copy(critic)
        optimizers = {"critic": critic_optimizer, "actor": actor_optimizer, "surrogate": surrogate_optimizer}
        how: dict[str, Any] = {"max_gradient_norm": max_gradient_norm, "decay": self.settings.decay, "meters": meters}
        self.mechanics = UpdateMechanics(self, optimizers, **how, seed=seed, rank=rank)
        self._layers, self._target_layers = quantum_layers(actor), quantum_layers(self.actor_target)
        self._pair_keys, self._norms = pair_keys(self._layers), [*running_norms(actor), *running_norms(critic)]
        self._fits, self._reward_scales = SurrogateFits(actor, self.mechanics), reward_scales(critic)
        self.q_out: dict[str, Tensor] = {}
        """What the block of each quantum layer returned in the newest minibatch, shape (B, Q); not saved."""
        self.compile_mode = compile_mode
        self._networks = UpdateNetworks(self._layers, critic, self.critic_target, compile_mode)
        if cuda_graphs and self.settings.decay:
            raise ConfigError("algo.cuda_graphs=true records learning rates as they are: set algo.lr_decay to null")
        if cuda_graphs and compile_mode not in (None, "default"):
            raise ConfigError(f"algo.cuda_graphs=true and algo.compile_mode={compile_mode} both capture: choose one")
        self.cuda_graphs = cuda_graphs
        self._graphs = GraphedUpdate(self._update, self, self.mechanics) if cuda_graphs else None

    def configure_optimizers(self) -> list[Optimizer]:
        """Make the optimizers of critics, actor and, where there is something to fit, estimators."""
        fitted = estimator_parameters(self.actor)
        return self.mechanics.make_optimizers(
            {"critic": self.critic.parameters(), "actor": classical_parameters(self.actor)}
            | ({"surrogate": fitted} if fitted else {})
        )

    def on_fit_start(self) -> None:
        """Refuse a Trainer that updates cannot be made with as they are configured."""
        if self._graphs is not None:
            self._graphs.check()

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Make one update from one minibatch."""
        if self.compile_mode:
            torch.compiler.cudagraph_mark_step_begin()  # a replayed graph may write over the last update's tensors
        self.mechanics.begin(batch.env_steps, batch.progress)
        self.q_out = {name: batch.transitions[q_out] for name, (_, q_out) in self._pair_keys.items()}
        error = self._update(batch) if self._graphs is None else self._graphs(self._due(), batch)
        if batch.update_priority is not None:
            batch.update_priority(error)

    def _due(self) -> tuple[bool, ...]:
        """Tell what this update does: whether each layer is fitted, and whether the actor moves."""
        return (*self._fits.due(), self._actor_is_due)

    @property
    def _actor_is_due(self) -> bool:
        return self.updates % self.settings.policy_delay == 0

    def _update(self, batch: Batch) -> Tensor:
        """Fit, learn, and move actor and targets where they are due; return TD errors (B,)."""
        stopwatch, rows = self.meters.stopwatch, batch.transitions
        with stopwatch.section("surrogate"):
            self._fit_surrogates(batch)
        with stopwatch.section("critic"):
            error = self._update_critic(rows)
        if self._actor_is_due:
            with stopwatch.section("actor"):
                self._update_actor(rows)
                self._update_targets()
        return error

    def observe(self, observation: Tensor) -> None:
        """Take observations (N, O) of every rank into the statistics that normalize them; a collective call."""
        update_norms(self._norms, observation)

    @property
    def scales_rewards(self) -> bool:
        """Whether `observe_returns` is to be called."""
        return bool(self._reward_scales)

    def observe_returns(self, returns: Tensor) -> None:
        """Take discounted returns (N,) of every rank into the statistics that scale rewards; a collective call."""
        for scale in self._reward_scales:
            scale.update(returns)

    def _fit_surrogates(self, batch: Batch) -> None:
        """Fit the qtDNN of each quantum layer to what the layer's block received and returned."""
        self._fits.fit(batch)

    def _update_critic(self, rows: TensorDict) -> Tensor:
        """Move both critics towards the smaller target value of the smoothed target action; return TD errors (B,)."""
        settings = self.settings
        with torch.no_grad():
            with self.meters.ledger.timed("target", self._target_layers):
                next_action = self._approximate_action(self.actor_target, rows[NEXT_OBSERVATION], "target")
            generator = self.mechanics.generators.get("target_noise", next_action.device)
            noise = torch.randn(next_action.shape, generator=generator, device=next_action.device)
            next_action = smoothed_action(next_action, settings.target_noise * noise, settings.target_noise_clip)
        td = self._networks.td_loss(td_rows(rows, next_action, settings.gamma))
        self.mechanics.step("critic", td.loss)
        self._networks.project()
        self.metrics["loss/critic"] = td.loss.detach()
        self.metrics.update({"train/q1": td.q1, "train/q2": td.q2, "train/target_q": td.target})
        return (td.q1 - td.target).abs()

    def _update_actor(self, rows: TensorDict) -> None:
        """Raise the first critic's value of the approximate actor's actions; critics and qtDNNs stay put."""
        with held_fixed(self.critic.parameters()), self.meters.ledger.timed("actor", self._layers):
            action, unbounded = self._moved_action(rows[OBSERVATION])
            q1 = self._networks.first_value(rows[OBSERVATION], action)
            loss = actor_loss(q1)
            if self.settings.angle_penalty:
                loss = loss + angle_penalty(self._layers.squared_displacement(), q1, self.settings.angle_penalty)
            if unbounded is not None:
                loss = loss + preactivation_penalty(unbounded, q1, self.settings.preactivation_penalty)
            self.mechanics.step("actor", loss)
        self._layers.forget()
        self.metrics["loss/actor"] = loss.detach()
        self.metrics["train/saturated_share"] = saturated_share(action.detach())

    def _moved_action(self, observation: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the approximate actor's actions (B, A), and what its tanh makes them of where that has a price."""
        if not self.settings.preactivation_penalty:
            return self._approximate_action(self.actor, observation, "actor"), None
        unbounded = self._approximate_action(self.actor, observation, "actor", self._networks.act_unbounded)
        return torch.tanh(unbounded), unbounded

    def _update_targets(self) -> None:
        """Let the targets follow whatever the critic and actor steps move."""
        polyak_(self.critic_target, self.critic, self.settings.tau)
        polyak_(self.actor_target, self.actor, self.settings.tau)

    def _approximate_action(
        self, actor: nn.Module, observation: Tensor, purpose: str, act: Callable[..., Tensor] | None = None
    ) -> Tensor:
        """Return an actor's actions (B, A) with estimators in the place of blocks, and book what they cost."""
        cost = self._layers.cost(len(observation), gradient=torch.is_grad_enabled())
        self.meters.ledger.add(purpose, cost)
        shifted = self._layers.shift_circuits(gradient=torch.is_grad_enabled())
        self.meters.ledger.parameter_shift_circuits += len(observation) * shifted
        generator = self.mechanics.generators.get(purpose, observation.device)
        with approximated(actor):
            return (act or self._networks.act)(actor, observation, generator)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Move the transitions, without Lightning's walk through every leaf."""
        if device.type == "cpu":
            return batch
        recent = None if batch.recent is None else batch.recent.to(device, non_blocking=True)
        return replace(batch, transitions=batch.transitions.to(device, non_blocking=True), recent=recent)
