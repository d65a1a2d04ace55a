"""TD3 with a hybrid actor, whose block gives way to its qtDNN wherever gradients or whole batches must pass.

Sources: the order of the update is that of the paper (arXiv:2503.09119, section 3); the losses of critics and actor are
TD3's (arXiv:1802.09477, algorithm 1).
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from lightning.pytorch import LightningModule
from tensordict import TensorDict
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer

from qtrl.algos.finite import FiniteLosses
from qtrl.algos.settings import TD3Settings
from qtrl.algos.td3_loss import actor_loss, critic_loss, smoothed_action, td_target
from qtrl.keys import ACTION, NEXT_OBSERVATION, OBSERVATION, Q_IN, Q_OUT, REWARD, TERMINATED
from qtrl.meters import RunMeters
from qtrl.nn import Block, GradientEstimator, HybridActor, TwinCritic, frozen_copy, polyak_, tangent_action
from qtrl.process.ranks import from_all_ranks
from qtrl.quantum.gradients import parameter_shift_circuits
from qtrl.seeding import Generators
from qtrl.specs import Batch

MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]


def _parameter_shift_circuits(block: Block) -> dict[str, int]:
    """Return the circuits for one row of an update, by purpose, had parameter shift given the gradient of the block."""
    if block.executable is None:
        return {"target": 0, "actor": 0}
    return {"target": 1, "actor": 1 + parameter_shift_circuits(block.executable.circuit)}


class TD3(LightningModule):
    """One update: fit the qtDNN, TD learning of both critics, every so often the actor and the targets.

    Lightning's `global_step` counts the steps of every optimizer, so `env_steps` and `updates` are counted here.

    Args:
        actor: The hybrid actor that also collects.
        critic: The twin critics.
        estimator: Stands in for the actor's block in the approximate actor.
        settings: The numbers.
        actor_optimizer: Makes the optimizer of PreDNN, PostDNN and a trainable block.
        critic_optimizer: Makes the optimizer of both critics.
        surrogate_optimizer: Makes the optimizer of the estimator, where it has parameters.
        max_gradient_norm: The gradients of critics, actor and estimator are each scaled down to it; None lets them be.
        compile_mode: A mode of `torch.compile` for networks and gradients of the update; None runs them as they are.
        meters: Where time and circuits are booked.
        seed: The run's seed.
        rank: The process's rank; noise differs between ranks.
    """

    def __init__(
        self,
        actor: HybridActor,
        critic: TwinCritic,
        estimator: GradientEstimator,
        *,
        settings: TD3Settings,
        actor_optimizer: MakeOptimizer,
        critic_optimizer: MakeOptimizer,
        surrogate_optimizer: MakeOptimizer,
        max_gradient_norm: float | None = None,
        compile_mode: str | None = None,
        meters: RunMeters | None = None,
        seed: int = 0,
        rank: int = 0,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.actor, self.critic, self.estimator = actor, critic, estimator
        self.actor_target, self.critic_target = frozen_copy(actor), frozen_copy(critic)
        self.settings, self._max_gradient_norm = settings, max_gradient_norm
        self._compile(compile_mode)
        self._parameter_shift = _parameter_shift_circuits(actor.block)
        self._make_optimizers = (critic_optimizer, actor_optimizer, surrogate_optimizer)
        self.meters = meters or RunMeters()
        self._generators, self._rank = Generators(seed, rank), rank
        self.env_steps = 0
        self.updates = 0
        self.metrics: dict[str, Tensor] = {}
        """The newest values of each metric, on the module's device; whoever logs them takes their mean."""
        self.q_out: Tensor | None = None
        """What the block returned in the newest minibatch, shape (B, Q); not saved."""
        self._losses = FiniteLosses(lambda: f"at env step {self.env_steps}, update {self.updates}")

    def _compile(self, mode: str | None) -> None:
        """Choose what the update calls: its networks, or what `torch.compile` makes of them. Circuits stay."""

        def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
            return torch.compile(function, mode=mode) if mode else function

        runs_circuits = self.estimator.cost(self.actor.block, 1, gradient=True).circuits > 0
        self._approximate_action = tangent_action if runs_circuits else compiled(tangent_action)
        self._values, self._target_values = compiled(self.critic.forward), compiled(self.critic_target.forward)
        self._first_value = compiled(self.critic.first)
        self._compiled = mode is not None
        if mode:
            for net in self.estimator.children():
                net.compile(mode=mode)

    def configure_optimizers(self) -> list[Optimizer]:
        """Make the optimizers of critics, actor and, where there is something to fit, estimator."""
        make_critic, make_actor, make_surrogate = self._make_optimizers
        optimizers = [make_critic(self.critic.parameters()), make_actor(self.actor.parameters())]
        if self.estimator.trainable:
            optimizers.append(make_surrogate(self.estimator.parameters()))
        return optimizers

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Make one update from one minibatch."""
        if self._compiled:
            torch.compiler.cudagraph_mark_step_begin()  # a replayed graph may write over the last update's tensors
        self.env_steps = batch.env_steps
        self.updates += 1
        stopwatch, rows = self.meters.stopwatch, batch.transitions
        self.q_out = rows[Q_OUT]
        with stopwatch.section("surrogate"):
            self._fit_surrogate(rows)
        with stopwatch.section("critic"):
            self._update_critic(rows)
        if self.updates % self.settings.policy_delay == 0:
            with stopwatch.section("actor"):
                self._update_actor(rows)
                self._update_targets()

    def _fit_surrogate(self, rows: TensorDict) -> None:
        """Fit the qtDNN to what the block received and returned."""
        if not self.estimator.trainable or self.updates % self.estimator.fit_every_updates:
            return
        q_in, q_out = self._pairs(rows)
        optimizer = self._optimizer(2)
        result = self.estimator.fit(
            q_in,
            q_out,
            optimizer=optimizer,
            generator=self._generators.get("surrogate", q_in.device),
            backward=lambda loss: self._backward(loss, "surrogate BCE", self.estimator, "surrogate"),
        )
        if result is not None:
            self.metrics["surrogate/bce_before"] = result.loss_before
            self.metrics["surrogate/bce_after"] = result.loss_after

    def _update_critic(self, rows: TensorDict) -> None:
        """Move both critics towards the smaller target value of the smoothed target action."""
        settings, optimizer = self.settings, self._optimizer(0)
        with torch.no_grad():
            with self.meters.ledger.timed("target", self.actor_target.block):
                next_action = self._tangent_action(self.actor_target, rows[NEXT_OBSERVATION], "target")
            generator = self._generators.get("target_noise", next_action.device)
            noise = torch.randn(next_action.shape, generator=generator, device=next_action.device)
            next_action = smoothed_action(next_action, settings.target_noise * noise, settings.target_noise_clip)
            next_q1, next_q2 = self._target_values(rows[NEXT_OBSERVATION], next_action)
            reward, terminated = rows[REWARD].squeeze(-1), rows[TERMINATED].squeeze(-1)
            target = td_target(reward, terminated, next_q1, next_q2, settings.gamma)
        q1, q2 = self._values(rows[OBSERVATION], rows[ACTION])
        loss = critic_loss(q1, q2, target)
        optimizer.zero_grad()
        self._backward(loss, "critic loss", self.critic, "critic")
        optimizer.step()
        self.metrics["loss/critic"] = loss.detach()
        self.metrics |= {"train/q1": q1.detach(), "train/q2": q2.detach(), "train/target_q": target}

    def _update_actor(self, rows: TensorDict) -> None:
        """Raise the first critic's value of the approximate actor's actions; critics and qtDNN stay put."""
        optimizer = self._optimizer(1)
        for fixed in (self.critic, self.estimator):
            fixed.requires_grad_(False)
        with self.meters.ledger.timed("actor", self.actor.block):
            action = self._tangent_action(self.actor, rows[OBSERVATION], "actor")
            loss = actor_loss(self._first_value(rows[OBSERVATION], action))
            optimizer.zero_grad()
            self._backward(loss, "actor loss", self.actor, "actor")
            optimizer.step()
        for fixed in (self.critic, self.estimator):
            fixed.requires_grad_(True)
        self.metrics["loss/actor"] = loss.detach()

    def _update_targets(self) -> None:
        """Let the targets follow whatever the critic and actor steps move."""
        polyak_(self.critic_target, self.critic, self.settings.tau)
        polyak_(self.actor_target, self.actor, self.settings.tau)

    def _pairs(self, rows: TensorDict) -> tuple[Tensor, Tensor]:
        if self.estimator.pairs == "stored":
            return rows[Q_IN], rows[Q_OUT]
        with torch.no_grad(), self.meters.ledger.timed("fit", self.actor.block):
            q_in, _ = self.actor.encode(rows[OBSERVATION])
            q_out = self.actor.block(q_in, self._generators.get("fit", q_in.device))
        self.meters.ledger.add("fit", self.actor.block.cost(len(q_in)))
        return q_in, q_out

    def _tangent_action(self, actor: HybridActor, observation: Tensor, purpose: str) -> Tensor:
        cost = self.estimator.cost(actor.block, len(observation), gradient=torch.is_grad_enabled())
        self.meters.ledger.add(purpose, cost)
        self.meters.ledger.parameter_shift_circuits += len(observation) * self._parameter_shift[purpose]
        generator = self._generators.get(purpose, observation.device)
        return self._approximate_action(actor, self.estimator, observation, generator)

    def _optimizer(self, index: int) -> Any:
        """Return one of `configure_optimizers`, as Lightning wraps it."""
        optimizers = self.optimizers()
        assert isinstance(optimizers, list)
        return optimizers[index]

    def _backward(self, loss: Tensor, name: str, net: nn.Module, part: str) -> None:
        """Take a loss's gradient, averaged over ranks, and limit its norm, unless something is not finite."""
        self._losses.add(name, loss)
        self.manual_backward(loss)
        if getattr(self.trainer.precision_plugin, "scaler", None) is not None:
            return  # gradients are scaled, and may overflow: the scaler sees to that
        gradients = [parameter.grad for parameter in net.parameters() if parameter.grad is not None]
        norm = get_total_norm(gradients)
        self._losses.add(f"the norm of the gradient of {name}", norm)
        if self._max_gradient_norm is not None:
            clip_grads_with_norm_(net.parameters(), self._max_gradient_norm, norm)
        self.metrics[f"gradient/{part}"] = norm

    def look_at_losses(self) -> None:
        """Read losses that were not waited for; see `FiniteLosses.look`."""
        self._losses.look()

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Move the transitions, without Lightning's walk through every leaf."""
        if device.type == "cpu":
            return batch
        return Batch(batch.transitions.to(device, non_blocking=True), batch.env_steps)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the counters at the top level, and everything else that the next update depends on.

        Raises:
            DivergenceError: A loss is not finite, so that the parameters may not be worth saving.
        """
        self._losses.look()
        checkpoint["env_steps"], checkpoint["updates"] = self.env_steps, self.updates
        checkpoint["generators"] = from_all_ranks(self._generators.state_dict())
        checkpoint["stopwatch"] = self.meters.stopwatch.state_dict()
        checkpoint["ledger"] = self.meters.ledger.state_dict()
        checkpoint["metrics"] = {name: value.mean() for name, value in self.metrics.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the counters back, and let a run that had ended go on."""
        self.env_steps, self.updates = checkpoint["env_steps"], checkpoint["updates"]
        self._generators.load_state_dict(checkpoint["generators"][self._rank])
        self.meters.stopwatch.load_state_dict(checkpoint["stopwatch"])
        self.meters.ledger.load_state_dict(checkpoint["ledger"])
        self.metrics = dict(checkpoint["metrics"])
        for part in checkpoint["loops"]["fit_loop"]["epoch_progress"].values():
            part["processed"] = part["completed"] = 0  # Lightning would take an ended epoch for an ended run
