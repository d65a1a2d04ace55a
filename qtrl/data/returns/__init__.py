"""Returns of several steps, of the steps so far, and of whole episodes, while transitions are collected."""
