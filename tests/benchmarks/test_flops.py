from types import SimpleNamespace

import gymnasium as gym
import pytest
import torch
from contenders.cleanrl_style import Agent
from flops import Sizes, classical_flops, products, trained, update_bytes, update_flops
from run_parts import RunParts
from scaling_gpu import GPUS, REACHED, bounds, filling_batch, filling_width
from tensordict import TensorDict
from torch.utils.flop_counter import FlopCounterMode

from qtrl.process.quiet import quiet_libraries
from qtrl.specs import Batch

ROWS = 8
SMALL = [
    "actor.hidden=16",
    "critic.hidden=16",
    "actor.links=5",
    "circuit.n_qubits=2",
    "circuit.reps=1",
    f"data.batch_size={ROWS}",
]
BLOCKS = {"pqc": ["gradient.hidden=32"], "fc": []}
"""Overrides by block; two qubits with one repetition have 8 angles."""


def sizes_of(block):
    surrogate = 32 if block == "pqc" else None
    return Sizes(observation=3, action=1, n_in=8, n_out=2, surrogate=surrogate, hidden=16, links=5)


class Same:
    """One minibatch, so many times."""

    def __init__(self, batch, times):
        self.batch, self.times = batch, times

    def __len__(self):
        return self.times

    def __iter__(self):
        return iter([self.batch] * self.times)


def counted(cfg, updates, folder):
    """Operations of so many updates through Lightning's Trainer, as torch counts them."""
    parts, rows = RunParts(cfg, folder), TensorDict(batch_size=[ROWS])
    for column in parts.columns:
        rows[column.key] = torch.ones(ROWS, *column.shape).to(column.dtype)
    counter = FlopCounterMode(display=False)
    with counter:
        parts.fit(Same(Batch(rows, 1, recent=rows), updates), [])
    return counter.get_total_flops()


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.parametrize("block", BLOCKS)
def test_torch_counts_the_same_operations_in_real_updates(block, compose, tmp_path):
    quiet_libraries()
    cfg = compose(f"experiment=paper/pendulum_{block}", *SMALL, *BLOCKS[block])
    parts = update_flops(sizes_of(block), ROWS, values=False)
    without_actor = sum(parts.values()) - parts["actor"]
    assert counted(cfg, 1, tmp_path) == without_actor
    assert counted(cfg, 2, tmp_path) == 2 * sum(parts.values())


def test_torch_counts_the_same_operations_in_an_update_of_a_classical_agent():
    envs = SimpleNamespace(
        single_action_space=gym.spaces.Box(-1, 1, (3,)), single_observation_space=gym.spaces.Box(-1, 1, (23,))
    )
    agent, shapes = Agent(envs, 16), {"observation": (23,), "action": (3,), "next_observation": (23,)}
    rows = {name: torch.ones(ROWS, *shapes.get(name, ())) for name in (*shapes, "reward", "terminated")}
    with FlopCounterMode(display=False) as counter:
        agent.update(rows)
        agent.update(rows)
    parts = classical_flops(ROWS, observation=23, action=3, hidden=16)
    assert counter.get_total_flops() == 2 * sum(parts.values())


def test_the_papers_sizes_take_what_is_counted_by_hand():
    rows, pqc = 2 * 256, update_flops(Sizes(), 256)
    actor, critic = 376 * 256 + 256 * 230 + 20 * 256 + 256 * 17, 376 * 256 + 273 * 256 + 256
    assert pqc["fit"] == rows * (2 * 220 * 2048 + 3 * 2048 * 10)
    assert pqc["target"] == rows * (actor + 220 * 2048 + 2048 * 10 + 2 * critic)
    assert pqc["critic"] == rows * 2 * (2 * (376 + 17) * 256 + 3 * (256 * 256 + 256))
    assert sum(pqc.values()) == pytest.approx(1.78e9, rel=0.01)


def test_a_backward_pass_skips_the_gradient_of_the_first_input():
    layers = ((3, 5), (5, 2))
    assert products(layers) == 15 + 10
    assert trained(layers) == 2 * 15 + 3 * 10


def test_bytes_are_seven_numbers_for_each_trained_weight_and_three_for_each_that_follows():
    one = Sizes(observation=1, action=1, n_in=1, n_out=1, surrogate=1, hidden=1, links=0, policy_delay=1)
    actor, surrogate, critics = 4, 2, 2 * (1 + 2 + 1)
    assert update_bytes(one) == 4 * (7 * (actor + surrogate + critics) + 3 * (actor + critics))


def test_the_width_that_fills_a_gpu_adds_as_many_operations_as_the_launches_leave_room_for():
    launches, gpu = 1e-3, GPUS[0]
    width = filling_width(gpu, Sizes(), 256, launches)
    one, other = (sum(update_flops(Sizes(surrogate=1 + extra), 256).values()) for extra in (0, 1))
    assert width * (other - one) == pytest.approx(launches * REACHED * gpu.float32)
    batch = filling_batch(gpu, Sizes(), launches)
    assert bounds(gpu, Sizes(), round(batch), 0).arithmetic == pytest.approx(launches, rel=1e-3)
