"""What is learned: a task builds module, data, callbacks and the test of a run from plain arguments."""
