"""What is learned: a task builds module, data, callbacks and the test of a run from plain arguments."""

from qtrl.tasks.base import RunContext, Source, Task, Test
from qtrl.tasks.rl import RL

__all__ = ["RL", "RunContext", "Source", "Task", "Test"]
