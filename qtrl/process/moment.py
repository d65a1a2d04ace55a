"""Names for what begins now."""

from datetime import datetime


def moment() -> str:
    """Return the local time as part of a name, to the microsecond: several runs may begin in one second."""
    return datetime.now().strftime("%Y%m%d-%H%M%S-%f")
