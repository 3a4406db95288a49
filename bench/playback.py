"""A clock that stands still, except when a recorded sample is played back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


class PlaybackClock:
    """Lets pytest-benchmark see times that were measured before: `play` moves `read` on by the next of them."""

    def __init__(self) -> None:
        self._now = 0.0
        self._samples: Iterator[float] = iter(())

    def load(self, seconds: Sequence[float]) -> None:
        """Set the samples to play, and the clock back to 0 so that none of their digits are lost in a sum."""
        self._samples = iter(seconds)

    def play(self) -> None:
        """Stand for one block. Raises StopIteration's RuntimeError when there are no more samples."""
        self._now = next(self._samples)

    def read(self) -> float:
        """The time; each reading after `play` gives that sample, and starts again at 0."""
        now, self._now = self._now, 0.0
        return now
