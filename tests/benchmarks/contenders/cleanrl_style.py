"""TD3 in one file, in the manner of CleanRL: plain torch, a replay of NumPy arrays, Gymnasium's vector environment.

Written from the algorithm (arXiv:1802.09477, algorithm 1), as plainly as such files are: nothing is tuned for speed.

Shapes: `N` environments, `B` batch, `O` observation, `A` action.
"""

import copy

import gymnasium as gym
import numpy as np
import torch
import torch.nn.functional as F
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from torch import Tensor, nn

from contenders.task import Clock, Task

LEARNING_RATE, GAMMA, TAU, POLICY_DELAY = 3e-4, 0.99, 0.005, 2
EXPLORATION_NOISE, TARGET_NOISE, NOISE_CLIP = 0.1, 0.2, 0.5
LOG_EVERY_UPDATES = 100


class Actor(nn.Module):
    """Map observations (B, O) to actions (B, A) within the environment's bounds."""

    def __init__(self, n_in: int, hidden: int, space: gym.spaces.Box) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(n_in, hidden), nn.Linear(hidden, hidden)
        self.fc_mu = nn.Linear(hidden, space.shape[0])
        self.register_buffer("scale", torch.tensor((space.high - space.low) / 2))
        self.register_buffer("bias", torch.tensor((space.high + space.low) / 2))

    def forward(self, observation: Tensor) -> Tensor:
        x = F.relu(self.fc2(F.relu(self.fc1(observation))))
        return torch.tanh(self.fc_mu(x)) * self.scale + self.bias


class QNetwork(nn.Module):
    """Map observations (B, O) and actions (B, A) to values (B,)."""

    def __init__(self, n_in: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(n_in, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, 1)

    def forward(self, observation: Tensor, action: Tensor) -> Tensor:
        x = torch.cat([observation, action], 1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x))))).squeeze(1)


class Replay:
    """The newest transitions, in arrays of float32."""

    def __init__(self, capacity: int, n_observation: int, n_action: int) -> None:
        widths = {"observation": n_observation, "action": n_action, "next_observation": n_observation}
        self.columns = {name: np.zeros((capacity, width), np.float32) for name, width in widths.items()}
        self.columns |= {name: np.zeros(capacity, np.float32) for name in ("reward", "terminated")}
        self.capacity, self.written = capacity, 0

    def add(self, **rows: np.ndarray) -> None:
        """Write rows (N, ...) over the oldest."""
        count = len(rows["reward"])
        places = (self.written + np.arange(count)) % self.capacity
        for name, values in rows.items():
            self.columns[name][places] = values
        self.written += count

    def sample(self, batch: int) -> dict[str, Tensor]:
        """Draw rows, evenly and with replacement."""
        places = np.random.randint(0, min(self.written, self.capacity), batch)
        return {name: torch.from_numpy(column[places]) for name, column in self.columns.items()}


class Agent:
    """Actor, two critics, their targets and optimizers."""

    def __init__(self, envs: SyncVectorEnv, hidden: int) -> None:
        self.space = envs.single_action_space
        n_observation, n_action = envs.single_observation_space.shape[0], self.space.shape[0]
        self.actor = Actor(n_observation, hidden, self.space)
        self.qf1, self.qf2 = (QNetwork(n_observation + n_action, hidden) for _ in range(2))
        self.online = (self.actor, self.qf1, self.qf2)
        self.actor_target, self.qf1_target, self.qf2_target = self.targets = copy.deepcopy(self.online)
        values = [*self.qf1.parameters(), *self.qf2.parameters()]
        self.q_optimizer = torch.optim.Adam(values, lr=LEARNING_RATE)
        self.actor_optimizer = torch.optim.Adam(self.actor.parameters(), lr=LEARNING_RATE)
        self.updates, self.losses = 0, {}

    @torch.no_grad()
    def act(self, observation: np.ndarray) -> np.ndarray:
        """Return actions (N, A) with exploration noise."""
        action = self.actor(torch.as_tensor(observation, dtype=torch.float32))
        action += EXPLORATION_NOISE * self.actor.scale * torch.randn_like(action)
        return np.clip(action.numpy(), self.space.low, self.space.high)

    def update(self, rows: dict[str, Tensor]) -> None:
        """Make one update."""
        self.updates += 1
        target = self._target(rows)
        qf1, qf2 = (q(rows["observation"], rows["action"]) for q in (self.qf1, self.qf2))
        q_loss = F.mse_loss(qf1, target) + F.mse_loss(qf2, target)
        self.q_optimizer.zero_grad()
        q_loss.backward()
        self.q_optimizer.step()
        if self.updates % POLICY_DELAY == 0:
            actor_loss = -self.qf1(rows["observation"], self.actor(rows["observation"])).mean()
            self.actor_optimizer.zero_grad()
            actor_loss.backward()
            self.actor_optimizer.step()
            self._follow()
        if self.updates % LOG_EVERY_UPDATES == 0:
            self.losses = {"q_loss": q_loss.item(), "qf1": qf1.mean().item(), "qf2": qf2.mean().item()}

    @torch.no_grad()
    def _target(self, rows: dict[str, Tensor]) -> Tensor:
        noise = (torch.randn_like(rows["action"]) * TARGET_NOISE).clamp(-NOISE_CLIP, NOISE_CLIP)
        action = self.actor_target(rows["next_observation"]) + noise * self.actor.scale
        action = action.clamp(float(self.space.low[0]), float(self.space.high[0]))
        qf1, qf2 = (q(rows["next_observation"], action) for q in (self.qf1_target, self.qf2_target))
        return rows["reward"] + GAMMA * (1 - rows["terminated"]) * torch.min(qf1, qf2)

    def _follow(self) -> None:
        for target, online in zip(self.targets, self.online, strict=True):
            for old, new in zip(target.parameters(), online.parameters(), strict=True):
                old.data.copy_(TAU * new.data + (1 - TAU) * old.data)


def run(task: Task, clock: Clock) -> float:
    """Train, with one update for each env step whatever the number of environments."""
    envs = SyncVectorEnv([lambda: gym.make(task.env_id)] * task.envs, autoreset_mode=AutoresetMode.SAME_STEP)
    envs.single_action_space.seed(0), envs.action_space.seed(0), torch.manual_seed(0), np.random.seed(0)
    agent = Agent(envs, task.hidden)
    replay = Replay(task.capacity, envs.single_observation_space.shape[0], agent.space.shape[0])
    observation, _ = envs.reset(seed=0)
    for env_steps in range(task.envs, task.total + task.envs, task.envs):
        learns = env_steps > task.warmup
        action = agent.act(observation) if learns else envs.action_space.sample()
        following, reward, terminated, truncated, infos = envs.step(action)
        after = following.copy()
        for env in np.flatnonzero(terminated | truncated):
            after[env] = infos["final_obs"][env]
        replay.add(observation=observation, action=action, next_observation=after, reward=reward, terminated=terminated)
        observation = following
        clock.tick(env_steps)
        for _ in range(task.envs if learns else 0):
            agent.update(replay.sample(task.batch))
    envs.close()
    return 1e-6 * sum(column.nbytes for column in replay.columns.values())
