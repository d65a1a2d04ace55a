"""The progress of a run on the terminal: env steps, return, rate, time left."""

import sys
import time

from lightning.pytorch import Callback, Trainer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from qtrl.callbacks.forecast import duration
from qtrl.callbacks.protocols import Learner, Source, Test, source_of

SECONDS_BETWEEN_LINES = 60.0
"""Where the output is no terminal, a plain line is printed this often at most."""


class _RateColumn(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0.0:.0f} {self._unit}s/s")


class RunProgress(Callback):
    """Show a bar on a terminal, and now and then a line elsewhere, with what `test` says of its newest test.

    `total_env_steps` is that of the whole run, `warmup_env_steps` that before learning begins, both in `unit`s.
    """

    def __init__(self, test: Test, *, total_env_steps: int, warmup_env_steps: int, unit: str = "env step") -> None:
        self._total, self._warmup, self._test = total_env_steps, warmup_env_steps, test
        self._unit = unit
        self._bar: Progress | None = None
        self._next_line, self._start, self._learns = 0.0, (0.0, 0), False

    def on_train_start(self, trainer: Trainer, pl_module: Learner) -> None:  # type: ignore[override]
        """Begin to show; the stream reports every step, so that warm-up is seen as well."""
        if not trainer.is_global_zero:
            return
        self._source: Source = source_of(trainer)
        self._start = (time.monotonic(), self._source.env_steps)
        self._next_line = time.monotonic() + SECONDS_BETWEEN_LINES
        self._source.listen(self._advance)
        console = Console(stderr=True)
        if sys.stderr.isatty() and console.is_interactive:  # TERM=dumb moves no cursor
            columns = (
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn(f"{self._unit}s"),
                _RateColumn(self._unit),
                TimeRemainingColumn(),
            )
            self._bar = Progress(TextColumn("{task.description}"), *columns, console=console)
            self._bar.start()
            self._task = self._bar.add_task("warm-up", total=self._total, completed=self._source.env_steps)

    def on_train_end(self, trainer: Trainer, pl_module: Learner) -> None:  # type: ignore[override]
        """Stop."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def on_exception(self, trainer: Trainer, pl_module: Learner, exception: BaseException) -> None:  # type: ignore[override]
        """Stop, so that the error is not drawn over."""
        self.on_train_end(trainer, pl_module)

    def _advance(self, env_steps: int) -> None:
        if not self._learns and env_steps > self._warmup:  # warm-up is quicker
            self._learns, self._start = True, (time.monotonic(), env_steps)
        if self._bar is not None:
            self._bar.update(self._task, completed=env_steps, description=self._describe(env_steps))
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + SECONDS_BETWEEN_LINES
            print(self._line(env_steps), file=sys.stderr, flush=True)

    def _describe(self, env_steps: int) -> str:
        if env_steps <= self._warmup:
            return "warm-up"
        return ", ".join(part for part in (self._source.status(), self._test.status()) if part)

    def _line(self, env_steps: int) -> str:
        seconds, first = time.monotonic() - self._start[0], self._start[1]
        parts = [f"{env_steps:,} of {self._total:,} {self._unit}s", self._describe(env_steps)]
        if env_steps > first:
            rate = (env_steps - first) / seconds
            parts.append(f"{rate:.0f} {self._unit}s/s")
            if self._learns:
                parts.append(f"{duration(max(0, self._total - env_steps) / rate)} left")
        return f"qtrl: {', '.join(parts)}"
