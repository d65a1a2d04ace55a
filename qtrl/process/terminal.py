"""The streams of a process, which may lack characters, be closed from the start, or be cut off in the middle."""

import io
import os
import sys
from typing import Any


def keep_output_harmless() -> None:
    """Let no line that is printed end what is computed.

    Characters that the encoding of a stream lacks are escaped, and what cannot be written (to a pipe whose reader has
    ended, a terminal that was closed, a full disk) is dropped. Descriptors 0 to 2 are opened where they are closed, so
    that no file of a run gets one of these numbers, to which libraries write on their own.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    sys.stdout, sys.stderr = _harmless(sys.stdout, 1), _harmless(sys.stderr, 2)


class _Dropping(io.FileIO):
    def write(self, data: Any, /) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return len(data)


def _harmless(stream: Any, descriptor: int) -> Any:
    """Return a stream in place of one of Python's own; one that something else put there stays as it is."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - for the rest of the process
    if stream not in (sys.__stdout__, sys.__stderr__):
        return stream
    stream.flush()
    raw = io.BufferedWriter(_Dropping(descriptor, "wb", closefd=False))
    how = {"encoding": stream.encoding, "line_buffering": stream.line_buffering}
    return io.TextIOWrapper(raw, errors="backslashreplace", write_through=stream.write_through, **how)
