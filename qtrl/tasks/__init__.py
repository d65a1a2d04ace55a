"""What is learned: a task builds module, data, callbacks and the test of a run from plain arguments."""

from qtrl.tasks.base import RunContext, RunLength, Task
from qtrl.tasks.rl import RL
from qtrl.tasks.rl_data import RLData
from qtrl.tasks.supervised import Supervised

__all__ = ["RL", "RLData", "RunContext", "RunLength", "Supervised", "Task"]
