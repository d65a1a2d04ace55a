"""Collecting in several processes, each with environments and a copy of the policy of its own."""

import copy
import queue
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorWrapper
from tensordict import TensorDict, TensorDictBase
from tensordict.nn import TensorDictModuleBase
from torchrl.collectors import MultiSyncCollector
from torchrl.envs import EnvBase, GymWrapper
from torchrl.weight_update import MultiProcessWeightSyncScheme

from qtrl.data.collector import Array, Collector
from qtrl.data.policy import CollectingPolicy
from qtrl.envs import VectorEnv
from qtrl.envs.vectorized.worker import GROUP_SIGNALS
from qtrl.errors import EnvError, EnvFaultError
from qtrl.keys import ERRORS, INFO, LOST
from qtrl.seeding import Generators

MakeEnvs = Callable[[], VectorEnv]
START_SECONDS = 300.0
"""How long all workers together may take to start; each imports torch."""


class ProcessCollector(Collector):
    """TorchRL's collector over worker processes, which take the policy's weights before every env step.

    Circuits and networks run in the workers too, so this is for machines with cores to spare and policies that take
    long. Random streams are those of each worker. A checkpoint holds neither these nor the environments: a run that
    goes on begins new episodes. A worker that fails ends the run.

    Args:
        make_envs: Makes the environments of each worker, equally many; pickled.
        policy: Where the weights come from, and whether actions are random.
        seeds: Seed of the policy's random streams in each worker.
        num_envs: Number of environments of all workers.
        state: What `state_dict` of a collector returned, if a run goes on.

    Raises:
        EnvError: A worker cannot start; from `collect`, one died, or its policy gave a non-finite action.
        EnvFaultError: From `collect`: an environment of a worker failed.
    """

    def __init__(
        self,
        make_envs: Sequence[MakeEnvs],
        policy: CollectingPolicy,
        seeds: Sequence[int],
        *,
        num_envs: int,
        state: dict[str, Any] | None = None,
    ) -> None:
        self.num_envs, self._policy = num_envs, policy
        self.discontinued = np.full(num_envs, state is not None)
        self._sent, weights = _WorkerPolicy(copy.deepcopy(policy).to("cpu")), _Weights()
        self._folder = TemporaryDirectory(prefix="qtrl-")
        reasons = Path(self._folder.name)
        with _one_line(reasons):
            self._workers = MultiSyncCollector(
                [partial(_worker_envs, make, reasons) for make in make_envs],
                self._sent,
                policy_factory=[partial(_worker_policy, self._sent, seed) for seed in seeds],
                weight_sync_schemes={"policy": weights},
                frames_per_batch=num_envs,
                total_frames=-1,
                trust_policy=True,
                use_buffers=False,
                cat_results="stack",
                auto_register_policy_transforms=False,
            )
            weights.processes = self._workers.procs
            self._rows = iter(self._workers)

    def begin(self) -> None:
        """See `Collector`."""
        raise NotImplementedError("worker processes choose actions and step in one go")

    def collect(self) -> TensorDict:
        """See `Collector`."""
        self._sent.policy.actor.load_state_dict(self._policy.actor.state_dict())
        self._sent.random_actions.fill_(self._policy.random_actions)
        with _one_line(Path(self._folder.name)):
            self._workers.update_policy_weights_()
            rows: TensorDict = next(self._rows).reshape(-1).clone()  # (workers, environments of each, 1)
        self.lost, self.errors = (rows[key].reshape(-1).numpy() for key in (LOST, ERRORS))
        info = rows.get(INFO)
        self.info = np.empty((self.num_envs, 0)) if info is None else info.flatten(1).numpy()
        return rows

    def state_dict(self) -> dict[str, Any]:
        """See `Collector`."""
        return {"envs": None, "step": None}

    def close(self) -> None:
        """See `Collector`."""
        with suppress(Exception):  # of workers that failed before
            self._workers.shutdown()
        self._folder.cleanup()


@contextmanager
def _one_line(reasons: Path) -> Iterator[None]:
    """Turn what TorchRL raises for a failed worker into its environment's error, or into one line."""
    try:
        yield
    except Exception as error:
        for kind in (EnvFaultError, EnvError):
            if (reason := reasons / kind.__name__).exists():
                raise kind(reason.read_text(encoding="utf-8")) from error
        line = (str(error).strip() or type(error).__name__).splitlines()[-1]
        raise EnvError(f"a process of data.collector=processes failed, what it printed says why: {line}") from error


class _Weights(MultiProcessWeightSyncScheme):
    """TorchRL's way of sending weights, patient with workers that start slowly but not with one that has ended."""

    processes: Sequence[Any] = ()

    def _setup_connection_and_weights_on_receiver_impl(self, *, worker_idx: int | None = None) -> None:
        """Let the first worker wait for its weights until the last one has started: 10 seconds are not enough."""
        transport: Any = self._receiver_transport
        transport.timeout = START_SECONDS
        super()._setup_connection_and_weights_on_receiver_impl(worker_idx=worker_idx)

    def _wait_for_ack(self, worker_ids: Any = None, timeout: float | None = None) -> None:
        for acknowledgements in self._ack_queues.values():
            while True:
                with suppress(queue.Empty):
                    acknowledgements.get(timeout=1.0)
                    break
                if not all(process.is_alive() for process in self.processes):
                    raise RuntimeError("it ended")


class _WorkerPolicy(TensorDictModuleBase):
    """The policy as it is sent: whether actions are random is a buffer, and so travels with the weights."""

    def __init__(self, policy: CollectingPolicy) -> None:
        self.in_keys, self.out_keys = policy.in_keys, policy.out_keys
        super().__init__()
        self.policy = policy
        self.random_actions: torch.Tensor
        self.register_buffer("random_actions", torch.tensor(policy.random_actions))

    def forward(self, rows: TensorDictBase) -> TensorDictBase:
        """Choose actions for rows of shape (N,)."""
        self.policy.random_actions = bool(self.random_actions)
        return self.policy(rows)


class _SaysLost(VectorWrapper):
    """Hands on, as part of what a step returned, lost rows, exceptions of environments, and the numbers of `info`."""

    autoreset_mode = AutoresetMode.DISABLED
    env: VectorEnv

    def __init__(self, envs: VectorEnv, reasons: Path) -> None:
        super().__init__(envs)
        self._reasons = reasons

    def reset(self, **how: Any) -> tuple[Array, dict[str, Any]]:
        """See `VectorEnv`."""
        with self._reported():
            return self.env.reset(**how)

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Leave an environment's error to the process that reports it, and end this one, of which TorchRL says more."""
        try:
            yield
        except EnvError as error:
            (self._reasons / type(error).__name__).write_text(str(error), encoding="utf-8")
            raise SystemExit(1) from None

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """See `VectorEnv`."""
        with self._reported():
            *result, _ = self.env.step(actions)
        said = {"lost": self.env.lost, "errors": self.env.errors, "info": self.env.info}
        return *result, said  # type: ignore[return-value]


def _worker_policy(policy: _WorkerPolicy, seed: int) -> _WorkerPolicy:
    """Give a worker's policy random streams of its own."""
    policy.policy.generators = Generators(seed)
    return policy


def _worker_envs(make: MakeEnvs, reasons: Path) -> EnvBase:
    """Make a worker's environments; the parent process alone answers to signals that reach all."""
    for number in GROUP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    envs = make()
    env = GymWrapper(_SaysLost(envs, reasons))
    env.set_info_dict_reader(partial(_read_said, np.full_like(envs.info, np.nan)))
    return env


def _read_said(no_info: Array, info: dict[str, Any], rows: TensorDictBase) -> TensorDictBase:
    """Add what a step said; a reset says nothing."""
    for name, dtype in (("lost", np.bool_), ("errors", np.int32)):
        rows.set(name, torch.from_numpy(info.get(name, np.zeros(len(rows), dtype)))[:, None])
    if no_info.size:
        rows.set("info", torch.from_numpy(info.get("info", no_info)))
    return rows
