"""Rows of the replay as critics learn from them."""

from tensordict import TensorDict
from torch import Tensor

from qtrl.keys import ACTION, DISCOUNT, NEXT_OBSERVATION, OBSERVATION, PRIORITY_WEIGHT, REWARD, TERMINATED
from qtrl.nn import TDRows


def td_rows(rows: TensorDict, next_action: Tensor, gamma: float) -> TDRows:
    """Return what critics need of rows (B,).

    Args:
        rows: A minibatch.
        next_action: Of the target actor, shape (B, A).
        gamma: Discount of rows that span one env step; others bring their own.
    """
    return TDRows(
        observation=rows[OBSERVATION],
        action=rows[ACTION],
        reward=rows[REWARD].squeeze(-1),
        terminated=rows[TERMINATED].squeeze(-1),
        next_observation=rows[NEXT_OBSERVATION],
        next_action=next_action,
        gamma=rows.get(DISCOUNT, gamma),
        weight=rows.get(PRIORITY_WEIGHT, None),
    )
