import os
import signal
from functools import partial

import numpy as np
import pytest
import torch

from qtrl.data import CollectingPolicy, GaussianNoise, ProcessCollector
from qtrl.envs import make_vector_env
from qtrl.errors import EnvError, EnvFaultError
from qtrl.keys import ACTION, DONE, LOST, NEXT_OBSERVATION, OBSERVATION, Q_IN, Q_OUT
from qtrl.meters import Stopwatch
from qtrl.nn import PQC, HybridActor, MLPActor, Zeros
from qtrl.quantum import efficient_su2, make_engine

pytestmark = [pytest.mark.usefixtures("toy_envs"), pytest.mark.slow]


def make_envs(env_id, seed):
    return make_vector_env(env_id, 2, seed, log_info=("count", "absent"))


def make_bent(bend, at):
    return make_vector_env("toy_envs:Bent-v0", 1, 0, kwargs={"bend": bend, "at": at})


def test_what_an_environment_of_a_worker_gave_is_told_in_its_own_words_and_can_be_saved(capfd):
    actor = MLPActor(3, 1, Zeros(2, 2), hidden=4)
    policy = CollectingPolicy(actor, exploration=GaussianNoise(0.0), seed=0, stopwatch=Stopwatch())
    collecting = ProcessCollector([partial(make_bent, "no_reward", 3)], policy, [3], num_envs=1)
    try:
        collecting.collect()
        with pytest.raises(EnvFaultError, match="^toy_envs:Bent-v0: step gave the reward None, expected one number$"):
            for _ in range(5):
                collecting.collect()
        assert collecting.state_dict() == {"envs": None, "step": None}
    finally:
        collecting.close()
    assert capfd.readouterr().err == ""


def test_workers_have_streams_of_their_own_and_the_newest_weights_and_a_dead_one_ends_the_run():
    torch.manual_seed(0)
    block = PQC(8, 2, circuit=efficient_su2(2, reps=1), engine=make_engine("numba"), shots=7)
    policy = CollectingPolicy(
        HybridActor(3, 1, block, hidden=4, links=1), exploration=GaussianNoise(0.0), seed=0, stopwatch=Stopwatch()
    )
    policy.random_actions = True
    makers = [partial(make_envs, "toy_envs:Counting-v0", seed) for seed in (1, 2)]
    collecting = ProcessCollector(makers, policy, [3, 4], num_envs=4)
    try:
        told = [(collecting.collect(), collecting.info) for _ in range(20)]
        rows, info = torch.stack([row for row, _ in told]), torch.from_numpy(np.stack([said for _, said in told]))
        start, length, count = rows[OBSERVATION].unbind(-1)
        assert torch.equal(rows[NEXT_OBSERVATION], torch.stack([start, length, count + 1], -1))
        assert torch.equal(count[1:], torch.where(rows[DONE][:-1, :, 0], 0, count[:-1] + 1))
        assert torch.equal(info[..., 0], count.double() + 1) and info[..., 1].isnan().all()
        assert not rows[LOST].any()
        assert not collecting.lost.any()
        assert len(rows[ACTION].unique()) == 80  # no two workers draw the same
        with torch.no_grad():
            policy.actor.post[-1].weight.zero_()
            policy.actor.post[-1].bias.fill_(0.5)
        policy.random_actions = False
        rows = collecting.collect()
        torch.testing.assert_close(rows[ACTION], torch.full((4, 1), 0.5).tanh())
        policy.actor(rows[OBSERVATION], torch.Generator().manual_seed(0))
        torch.testing.assert_close(rows[Q_IN], policy.actor.layer.pair[0].detach())
        assert set((7 * rows[Q_OUT]).round().flatten().tolist()) <= set(range(8))
        assert collecting.state_dict() == {"envs": None, "step": None}
        os.kill(collecting._workers.procs[1].pid, signal.SIGKILL)
        with pytest.raises(EnvError, match="a process of data.collector=processes failed") as error:
            collecting.collect()
        assert "\n" not in str(error.value)
    finally:
        collecting.close()
    assert collecting._workers.closed
