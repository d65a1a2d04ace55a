"""What is learned: a task builds module, data, callbacks and the test of a run from plain arguments."""

from qtrl.tasks.base import RunContext, Task
from qtrl.tasks.rl import RL

__all__ = ["RL", "RunContext", "Task"]
