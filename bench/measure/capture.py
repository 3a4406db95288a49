"""Work captured as a CUDA graph, to be launched as one: the host then no longer launches kernel by kernel."""

from __future__ import annotations

from collections.abc import Callable

import torch


def captured(work: Callable[[], object]) -> Callable[[], None]:
    """What launches it. It is done once before, on a stream beside the current one, as capturing asks for; whatever
    tensors it reads and writes must live as long as it is launched."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    launch: Callable[[], None] = graph.replay
    return launch
