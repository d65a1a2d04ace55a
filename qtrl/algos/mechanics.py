"""What the updates of every algorithm share: optimizers by name, checked gradient steps, counters, saved state."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer

from qtrl.algos.decay import Decay
from qtrl.algos.divergence import DivergenceDetector
from qtrl.errors import ConfigError
from qtrl.meters import RunMeters
from qtrl.process.ranks import from_all_ranks
from qtrl.seeding import Generators

MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]
"""Makes an optimizer from the parameters that it moves."""


class UpdateMechanics:
    """The part of an update that is no mathematics. An algorithm holds one, and calls it where its formulas end.

    Lightning's `global_step` counts the steps of every optimizer, so env steps and updates are counted here.

    Args:
        module: The algorithm; it optimizes manually.
        optimizers: What makes each optimizer, by name.
        max_gradient_norm: The gradients of each step are scaled down to it; None leaves them as they are.
        decay: How learning rates fall over the run; None leaves them as they are.
        meters: Where time and circuits are booked.
        seed: The run's seed.
        rank: The process's rank; random draws differ between ranks.

    Attributes:
        env_steps: Env steps made so far, over all ranks.
        updates: Updates made so far.
        metrics: The newest values of each metric, on the module's device; whoever logs them takes their mean.
        meters: As given, or new ones.
        generators: Random generators by purpose.
        divergence: Checks losses and norms of gradients.

    Raises:
        ConfigError: An optimizer cannot be made.
    """

    def __init__(
        self,
        module: LightningModule,
        optimizers: Mapping[str, MakeOptimizer],
        *,
        max_gradient_norm: float | None = None,
        decay: Decay | None = None,
        meters: RunMeters | None = None,
        seed: int = 0,
        rank: int = 0,
    ) -> None:
        self._module, self._makers, self._max_gradient_norm = module, dict(optimizers), max_gradient_norm
        self._decay = decay
        for name, make in optimizers.items():
            try:  # so that a wrong argument is reported before the run begins
                make([nn.Parameter(torch.zeros(1, device="cpu"))])
            except (TypeError, ValueError, RuntimeError) as error:
                raise ConfigError(f"{name}_optimizer cannot be made: {error}") from error
        self._names: tuple[str, ...] = ()
        self.env_steps = 0
        self.updates = 0
        self.metrics: dict[str, Tensor] = {}
        self.meters = meters or RunMeters()
        self.generators, self._rank = Generators(seed, rank), rank
        self.divergence = DivergenceDetector(lambda: f"at env step {self.env_steps}, update {self.updates}")

    def begin(self, env_steps: int, progress: float = 0.0) -> None:
        """Count an update that begins after so many env steps, and set its learning rates.

        Args:
            env_steps: Over all ranks.
            progress: What fraction of the run they are.
        """
        self.env_steps = env_steps
        self.updates += 1
        if self._decay is None:
            return
        factor = self._decay.factor(progress)
        for name in self._decay.optimizers:
            for group in self.optimizer(name).param_groups:
                group["lr"] = factor * group.setdefault("initial_lr", group["lr"])

    def make_optimizers(self, parameters: Mapping[str, Iterable[nn.Parameter]]) -> list[Optimizer]:
        """Make the optimizers of these names, for `configure_optimizers`; checkpoints have their states in this order.

        Args:
            parameters: What each moves; an optimizer that has nothing to move is left out.
        """
        self._names = tuple(parameters)
        return [self._makers[name](list(moved)) for name, moved in parameters.items()]

    def optimizer(self, name: str) -> Any:
        """Return an optimizer, as Lightning wraps it."""
        optimizers = self._module.optimizers()
        wrapped = optimizers if isinstance(optimizers, list) else [optimizers]
        return wrapped[self._names.index(name)]

    def step(self, name: str, loss: Tensor) -> None:
        """Let an optimizer take one step along the gradient of a loss, whose norm becomes the metric `gradient/NAME`.

        Raises:
            DivergenceError: The loss or the norm is not finite; nothing was moved.
        """
        optimizer = self.optimizer(name)
        optimizer.zero_grad()
        moved = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        norm = self.backward(f"{name} loss", loss, moved)
        optimizer.step()
        if norm is not None:
            self.metrics[f"gradient/{name}"] = norm

    def backward(self, label: str, loss: Tensor, parameters: Sequence[nn.Parameter]) -> Tensor | None:
        """Compute a loss's gradient, averaged over ranks, and limit its norm.

        Args:
            label: Names the loss in an error.
            loss: A scalar.
            parameters: Whose gradient counts.

        Returns:
            The norm before the limit; None where gradients are scaled, and may overflow: the scaler handles that.

        Raises:
            DivergenceError: The loss or the norm is not finite.
        """
        self.divergence.watch(label, loss)
        self._module.manual_backward(loss)
        if getattr(self._module.trainer.precision_plugin, "scaler", None) is not None:
            return None
        norm = get_total_norm([parameter.grad for parameter in parameters if parameter.grad is not None])
        self.divergence.watch(f"the norm of the gradient of {label}", norm)
        if self._max_gradient_norm is not None:
            clip_grads_with_norm_(parameters, self._max_gradient_norm, norm)
        return norm

    def save(self, checkpoint: dict[str, Any]) -> None:
        """Add the counters to a checkpoint, and all other state of updates.

        Raises:
            DivergenceError: A loss is not finite, so that the parameters may not be worth saving.
        """
        self.divergence.check()
        checkpoint["env_steps"], checkpoint["updates"] = self.env_steps, self.updates
        checkpoint["generators"] = from_all_ranks(self.generators.state_dict())
        checkpoint["stopwatch"] = self.meters.stopwatch.state_dict()
        checkpoint["ledger"] = self.meters.ledger.state_dict()
        checkpoint["metrics"] = {name: value.mean() for name, value in self.metrics.items()}

    def restore(self, checkpoint: dict[str, Any]) -> None:
        """Restore what `save` added, and let a run that had ended continue."""
        self.env_steps, self.updates = checkpoint["env_steps"], checkpoint["updates"]
        self.generators.load_state_dict(checkpoint["generators"][self._rank])
        self.meters.stopwatch.load_state_dict(checkpoint["stopwatch"])
        self.meters.ledger.load_state_dict(checkpoint["ledger"])
        self.metrics.clear()
        self.metrics.update(checkpoint["metrics"])
        if self._decay is None:  # it may have been turned off
            for saved in checkpoint["optimizer_states"]:
                for group in saved["param_groups"]:
                    group["lr"] = group.get("initial_lr", group["lr"])
        for part in checkpoint["loops"]["fit_loop"]["epoch_progress"].values():
            part["processed"] = part["completed"] = 0  # Lightning would take an ended epoch for an ended run
