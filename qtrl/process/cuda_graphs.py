"""CUDA graphs: what a function launches is recorded once, and launched again with next to no Python in between."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

WARMUP = 3
"""Calls of a kind that are made as they are before one is recorded: they make what is made once."""


class CudaRecorder:
    """Records CUDA graphs on a stream of its own.

    What is recorded must have run on that stream before: nodes of autograd that outlive an update stay on the stream
    where they were made, and a graph can depend on no other stream.
    """

    def __init__(self) -> None:
        self._stream: torch.cuda.Stream | None = None

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Launch what is launched in the `with` block on the stream, between what comes before and after."""
        self._stream = self._stream or torch.cuda.Stream()
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            yield
        torch.cuda.current_stream().wait_stream(self._stream)

    def record(self, call: Callable[[], None], generators: list[torch.Generator]) -> Callable[[], None]:
        """Record what a call launches, nothing of which is computed, and return what launches it.

        Args:
            call: Launches kernels, and waits for none.
            generators: What it draws from; each replay draws anew.
        """
        graph = torch.cuda.CUDAGraph()
        for generator in generators:
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
            call()
        return graph.replay
