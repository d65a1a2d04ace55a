"""The newest pairs of a quantum layer: what its block received and what it returned.

Shapes: `B` rows that come in, `P` inputs of the block, `Q` its outputs.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from qtrl.errors import ConfigError, ShapeError
from qtrl.nn.sizes import check_sizes

COLUMNS = ("q_in", "q_out")


class PairBuffer:
    """A ring of the newest pairs, as plain tensors with the dtype and on the device of what came in last.

    Memory is taken with the first pairs. A copy, by deepcopy or pickle, is empty; `state_dict` has the pairs.

    Args:
        capacity: Pairs that are kept.
        n_in: P.
        n_out: Q.

    Raises:
        ConfigError: A number is below 1.

    Source: the qtDNN-buffer of arXiv:2503.09119, section 2.
    """

    def __init__(self, capacity: int, n_in: int, n_out: int) -> None:
        check_sizes("PairBuffer", capacity=capacity, n_in=n_in, n_out=n_out)
        self.capacity, self.n_in, self.n_out = capacity, n_in, n_out
        self._columns: tuple[Tensor, Tensor] | None = None
        self._end, self._length = 0, 0  # the place of the next pair, and how many there are

    def __reduce__(self) -> tuple[type["PairBuffer"], tuple[int, int, int]]:
        return type(self), (self.capacity, self.n_in, self.n_out)

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"PairBuffer({self.capacity}, {self.n_in}, {self.n_out}), {len(self)} pairs"

    def append(self, q_in: Tensor, q_out: Tensor) -> None:
        """Keep pairs q_in (B, P) and q_out (B, Q), the last row as the newest, in place of the oldest ones.

        Raises:
            ShapeError: They are not B pairs of these lengths.
        """
        self._check("append", q_in, q_out)
        rows = min(len(q_in), self.capacity)
        if rows == 0:
            return
        with torch.inference_mode(False), torch.no_grad():  # no fit could use tensors of inference mode
            places = torch.arange(self._end, self._end + rows, device=q_in.device) % self.capacity
            for column, values in zip(self._columns_like(q_in), (q_in, q_out), strict=True):
                column[places] = values[-rows:].to(column)
        self._end = (self._end + rows) % self.capacity
        self._length = min(self._length + rows, self.capacity)

    def newest(self, rows: int) -> tuple[Tensor, Tensor]:
        """Return the newest pairs, oldest of them first; all, where there are fewer than `rows`.

        Raises:
            ConfigError: There are none, or `rows` is below 1.
        """
        check_sizes("PairBuffer.newest", rows=rows)
        rows = min(rows, self._filled())
        return self._at(torch.arange(self._length - rows, self._length, device=self._device))

    def sample(
        self, rows: int, generator: torch.Generator | None = None, *, window: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw pairs, uniformly and with replacement, so that `rows` may be more than there are.

        Args:
            rows: Pairs to draw.
            generator: Source of the draws, on the device of the pairs; torch's global one where it is left out.
            window: Newest pairs that are drawn from; None for all.

        Raises:
            ConfigError: There are none, or a number is below 1.
        """
        check_sizes("PairBuffer.sample", rows=rows, **({} if window is None else {"window": window}))
        window = min(window or self.capacity, self._filled())
        drawn = torch.randint(window, (rows,), generator=generator, device=self._device)
        return self._at(self._length - window + drawn)

    def state_dict(self) -> dict[str, Tensor]:
        """Return all pairs from the oldest on, as copies; equal states give equal draws."""
        if self._columns is None:
            return {"q_in": torch.empty(0, self.n_in), "q_out": torch.empty(0, self.n_out)}
        return dict(zip(COLUMNS, self.newest(self.capacity), strict=True))

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Hold the pairs of a `state_dict` in place of one's own; the newest, where it has more than fit.

        Raises:
            ShapeError: These are no pairs, or those of another layer.
        """
        if set(state) != set(COLUMNS) or not all(isinstance(value, Tensor) for value in state.values()):
            raise ShapeError(f"PairBuffer: state has {sorted(map(str, state))}, expected the tensors q_in and q_out")
        self._check("state", state["q_in"], state["q_out"])
        self._columns, self._end, self._length = None, 0, 0
        self.append(state["q_in"], state["q_out"])

    @property
    def _device(self) -> torch.device | None:
        return None if self._columns is None else self._columns[0].device

    def _filled(self) -> int:
        if not self._length:
            raise ConfigError("PairBuffer: holds no pairs; run the model on data first, outside of `approximated`")
        return self._length

    def _at(self, ages: Tensor) -> tuple[Tensor, Tensor]:
        """Return copies of pairs by their places in time, 0 being the oldest."""
        places = (self._end - self._length + ages) % self.capacity
        assert self._columns is not None
        q_in, q_out = self._columns
        return q_in[places], q_out[places]

    def _columns_like(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the columns, made or moved so that they are like what comes in."""
        if self._columns is None:
            self._columns = rows.new_empty(self.capacity, self.n_in), rows.new_empty(self.capacity, self.n_out)
        q_in, q_out = self._columns
        self._columns = q_in.to(rows), q_out.to(rows)
        return self._columns

    def _check(self, what: str, q_in: Tensor, q_out: Tensor) -> None:
        shapes = tuple(q_in.shape), tuple(q_out.shape)
        if shapes != ((*shapes[0][:1], self.n_in), (*shapes[0][:1], self.n_out)):
            expected = f"(B, {self.n_in}) and (B, {self.n_out})"
            raise ShapeError(f"PairBuffer: {what} has q_in {shapes[0]} and q_out {shapes[1]}, expected {expected}")
