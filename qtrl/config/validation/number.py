"""One number in a config, and how it is shown where it is refused."""

import math
import reprlib
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from qtrl.errors import ConfigError


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`, an integer if `whole`, or also null if `optional`."""

    low: float
    high: float = math.inf
    whole: bool = True
    optional: bool = False

    def check(self, key: str, value: Any) -> Any:
        """Return the value, a whole number as an integer: 1e6 is read as a float, and '1e6' as a text.

        Raises:
            ConfigError: It is out of range or of another kind; says what came and what was expected.
        """
        if value is None and self.optional:
            return None
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, str):
            with suppress(ValueError):
                value = float(value)
        if self.whole and isinstance(value, float) and value.is_integer():
            value = int(value)
        kinds = (int,) if self.whole else (int, float)
        fits = isinstance(value, kinds) and not isinstance(value, bool) and self.low <= value <= self.high
        if not fits or not math.isfinite(value):
            infinite = isinstance(value, float) and math.isinf(value)
            kind = "an integer" if self.whole else "a finite number" if infinite else "a number"
            too_high = isinstance(value, int | float) and value > self.high
            limit = f"at most {_plain(self.high)}" if too_high else f"at least {_plain(self.low)}"
            raise ConfigError(f"{key}={printed(value)} is not allowed: expected {kind} of {limit}")
        return value


def _plain(number: float) -> str:
    return f"{number:g}" if isinstance(number, float) or number < 10**6 else f"{number:,}"


def printed(value: object) -> str:
    """Return a value's text, shortened where it is long or has what cannot be printed."""
    text = str(value)
    return text if len(text) <= 80 and text.isprintable() else reprlib.repr(value)
