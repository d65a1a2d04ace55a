"""The ring of a layer's newest pairs."""

import copy
import pickle

import pytest
import torch
from torch import Tensor

from qtrl.errors import ConfigError, ShapeError
from qtrl.nn import PairBuffer

N_IN, N_OUT = 3, 2


def pairs(first: int, rows: int, **kind) -> tuple[Tensor, Tensor]:
    """Rows that count up, so that each pair can be told."""
    numbers = torch.arange(first, first + rows, **kind or {"dtype": torch.float32})[:, None]
    return numbers.expand(-1, N_IN), -numbers.expand(-1, N_OUT)


def filled(*sizes: int, capacity: int = 5) -> PairBuffer:
    buffer, first = PairBuffer(capacity, N_IN, N_OUT), 0
    for rows in sizes:
        buffer.append(*pairs(first, rows))
        first += rows
    return buffer


def numbers(of: tuple[Tensor, Tensor]) -> list[float]:
    q_in, q_out = of
    assert torch.equal(q_in[:, :1], -q_out[:, :1])
    return q_in[:, 0].tolist()


@pytest.mark.parametrize(
    ("sizes", "kept"), [((3,), [0, 1, 2]), ((3, 4), [2, 3, 4, 5, 6]), ((12,), [7, 8, 9, 10, 11]), ((5, 0), range(5))]
)
def test_the_newest_pairs_stay_in_the_order_of_time(sizes: tuple[int, ...], kept: list[int]) -> None:
    buffer = filled(*sizes)
    assert len(buffer) == len(kept)
    assert numbers(buffer.newest(99)) == list(kept)
    assert numbers(buffer.newest(2)) == list(kept)[-2:]


def test_draws_are_uniform_over_all_or_over_the_newest_pairs() -> None:
    buffer, generator = filled(3, 4), torch.Generator().manual_seed(0)
    drawn = torch.tensor(numbers(buffer.sample(5_000, generator)))
    assert torch.bincount(drawn.int(), minlength=7)[2:] == pytest.approx(1_000, abs=5 * 800**0.5)
    assert drawn.min() == 2
    assert set(numbers(buffer.sample(100, generator, window=2))) == {5, 6}


def test_equal_generators_draw_equal_pairs_and_without_one_the_global_stream_is_used() -> None:
    buffer = filled(4)
    first, again = (numbers(buffer.sample(9, torch.Generator().manual_seed(1))) for _ in range(2))
    torch.manual_seed(1)
    assert first == again == numbers(buffer.sample(9))


def test_what_is_kept_and_what_is_drawn_are_copies() -> None:
    q_in, q_out = (values.clone() for values in pairs(0, 3))
    buffer = PairBuffer(5, N_IN, N_OUT)
    buffer.append(q_in.requires_grad_(), q_out)
    with torch.no_grad():
        q_in.zero_()
        buffer.newest(1)[0].zero_()
    assert numbers(buffer.newest(3)) == [0, 1, 2] and not buffer.newest(3)[0].requires_grad


def test_a_state_gives_the_same_draws_and_the_same_future() -> None:
    buffer, other = filled(3, 4), filled(1)
    other.load_state_dict(buffer.state_dict())
    for one in (buffer, other):
        one.append(*pairs(7, 1))
    draws = [numbers(one.sample(20, torch.Generator().manual_seed(2))) for one in (buffer, other)]
    assert draws[0] == draws[1]
    small = PairBuffer(2, N_IN, N_OUT)
    small.load_state_dict(buffer.state_dict())
    assert numbers(small.newest(9)) == [6, 7]
    small.load_state_dict(PairBuffer(2, N_IN, N_OUT).state_dict())
    assert len(small) == 0


def test_the_kind_of_what_comes_in_last_is_kept() -> None:
    buffer = filled(2)
    buffer.append(*pairs(2, 1, dtype=torch.float64))
    q_in, q_out = buffer.newest(3)
    assert q_in.dtype == q_out.dtype == torch.float64
    assert numbers((q_in, q_out)) == [0, 1, 2]


def test_pairs_of_inference_mode_can_be_learned_from() -> None:
    buffer = PairBuffer(5, N_IN, N_OUT)
    with torch.inference_mode():
        buffer.append(*(values + 0 for values in pairs(0, 2)))
    q_in, _ = buffer.sample(2)
    weight = torch.ones(N_IN, requires_grad=True)
    (q_in @ weight).sum().backward()
    buffer.append(*pairs(2, 1))


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda of: pickle.loads(pickle.dumps(of))], ids=["deepcopy", "pickle"])
def test_copies_are_empty(twin) -> None:
    other = twin(filled(3))
    assert (other.capacity, other.n_in, other.n_out, len(other)) == (5, N_IN, N_OUT, 0)


@pytest.mark.parametrize("values", [torch.zeros(2, N_IN + 1), torch.zeros(3, N_IN), torch.zeros(N_IN), torch.zeros(())])
def test_what_does_not_fit_is_refused_with_both_shapes(values: Tensor) -> None:
    with pytest.raises(ShapeError, match=r"append has q_in \(.*\) and q_out \(2, 2\), expected \(B, 3\) and \(B, 2\)"):
        filled(1).append(values, torch.zeros(2, N_OUT))


def test_states_of_other_layers_are_refused_and_change_nothing() -> None:
    buffer = filled(2)
    for state, message in (
        ({}, "expected the tensors q_in and q_out"),
        ({"q_in": torch.zeros(1, N_IN), "q_out": None}, "expected the tensors"),
        (PairBuffer(1, N_IN, 7).state_dict(), r"q_out \(0, 7\), expected \(B, 3\) and \(B, 2\)"),
    ):
        with pytest.raises(ShapeError, match=message):
            buffer.load_state_dict(state)
    assert numbers(buffer.newest(9)) == [0, 1]


def test_impossible_numbers_and_draws_from_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="PairBuffer: capacity is 0"):
        PairBuffer(0, N_IN, N_OUT)
    for draw in (PairBuffer.sample, PairBuffer.newest):
        with pytest.raises(ConfigError, match="holds no pairs; run the model on data first"):
            draw(PairBuffer(5, N_IN, N_OUT), 1)
        with pytest.raises(ConfigError, match="rows is 0"):
            draw(filled(1), 0)
    with pytest.raises(ConfigError, match="window is 0"):
        filled(1).sample(1, window=0)
