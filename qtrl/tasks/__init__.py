"""What is learned: a task builds module, data, callbacks and the test of a run from plain arguments."""

from qtrl.tasks.base import RunContext, Task
from qtrl.tasks.rl import RL
from qtrl.tasks.rl_data import RLData

__all__ = ["RL", "RLData", "RunContext", "Task"]
