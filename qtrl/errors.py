"""The errors that qtrl raises on purpose: one readable line each, with what came, what was expected, what to do."""


class QtrlError(Exception):
    """Base of every error raised on purpose; the command line prints it without a traceback and exits with 2."""


class ConfigError(QtrlError):
    """A configuration value is missing, of the wrong kind or out of range."""


class CircuitError(QtrlError, ValueError):
    """A circuit is malformed, or does not fit the angles, the shots or the engine that it was given to."""


class EngineError(QtrlError):
    """An engine is unknown, not installed, or cannot hold the circuit."""


class DataError(QtrlError):
    """A table of examples is missing, malformed, or nothing can be learned of it."""


class EnvError(QtrlError):
    """An environment cannot be made, has unsupported spaces, or gave what Gymnasium's contract does not allow."""


class EnvFaultError(EnvError):
    """An environment failed, or broke its contract, in a run whose state is sound: it is saved, and can resume."""


class ShapeError(QtrlError, ValueError):
    """A tensor does not have the shape that was asked for."""


class RunFolderError(QtrlError):
    """A run folder cannot be written, exists already, or lacks a file."""


class CheckpointError(QtrlError):
    """A checkpoint cannot be read, is damaged, or belongs to another architecture."""


class DivergenceError(QtrlError):
    """A loss became NaN or infinite."""


class RenderError(QtrlError):
    """A frame cannot be rendered on this machine."""


class WandbError(QtrlError):
    """W&B, or its package, is missing, not logged in, does not answer or refuses."""
