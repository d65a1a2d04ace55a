"""Hybrid quantum-classical reinforcement learning, trained through a learned tangent of the quantum circuit.

Importing this package is light: nothing heavier than the standard library is loaded until a subpackage is.
"""

__version__ = "0.1.0"
