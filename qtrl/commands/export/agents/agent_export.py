"""An agent as something to be exported."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from omegaconf import OmegaConf
from torch import Tensor, nn

from qtrl.commands.agent import Agent
from qtrl.commands.export.agents.agent_card import agent_card
from qtrl.commands.export.agents.observations import draw_observations
from qtrl.commands.export.agents.policy import Policy
from qtrl.commands.export.exportable import Card, Signature
from qtrl.envs import make_env
from qtrl.envs.spaces import describe_space, own_spaces
from qtrl.nn import RunningNorm
from qtrl.run.exported import AGENT


@dataclass(frozen=True)
class AgentExport:
    """Satisfies `Exportable`."""

    source: Agent
    form = AGENT
    numbers = (
        *("env_steps", "updates", "seed", "return_mean", "return_std", "best_return_mean", "best_env_steps"),
        *("last_ten_return_mean", "wall_seconds"),
    )

    @property
    def network(self) -> nn.Module:
        """The actor."""
        return self.source.actor.cpu()

    @property
    def signature(self) -> Signature:
        """Flat observations to actions."""
        return Signature(
            self.source.task.spec.observation_size, "observation", "action", cases="observations", answers="actions"
        )

    def function(self, quantum: str) -> nn.Module:
        """Return the policy."""
        return Policy(self.network, quantum, self._spaces[1])

    def inputs(self, count: int, seed: int) -> tuple[Tensor, str]:
        """Draw observations."""
        size, agent = self.signature.size, self.source
        return draw_observations(agent.run_dir, agent.checkpoint, self.network, size=size, count=count, seed=seed)

    def config(self) -> dict[str, Any]:
        """Return the config as it is."""
        plain: Any = OmegaConf.to_container(self.source.cfg, resolve=True)
        return plain

    def facts(self) -> dict[str, Any]:
        """Return the environment's id and sizes."""
        return self.source.task.facts()

    def description(self) -> dict[str, Any]:
        """Return spaces, sizes, and by which tensors of the weights observations are normalized."""
        spec = self.source.task.spec
        spaces = zip(("observation_space", "action_space"), self._spaces, strict=True)
        return {
            "env": {"id": spec.env_id, **{name: describe_space(space) for name, space in spaces}},
            "observation_size": spec.observation_size,
            "action_size": spec.action_size,
            "normalization": _normalization(self.network),
        }

    def card(self, run: str, result: Mapping[str, Any]) -> Card:
        """Return the environment, returns, and how it is played."""
        return agent_card(run, result)

    @cached_property
    def _spaces(self) -> Any:
        """Return the environment's own spaces of observations and actions."""
        task = self.source.task
        with make_env(task.env["id"], **task.env_options) as env:
            return own_spaces(env)


def _normalization(actor: nn.Module) -> list[dict[str, Any]]:
    return [
        {
            "mean": f"{name}.mean",
            "variance": f"{name}.variance",
            "epsilon": norm.epsilon,
            "clip": norm.clip,
            "observations": int(norm.count.item()),
        }
        for name, norm in actor.named_modules()
        if isinstance(norm, RunningNorm)
    ]
