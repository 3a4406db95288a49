"""The kernel of `cluster-cuda` in numpy, warp by warp: where each number lies, who sends what where, who waits.

A cluster's 128 warps are coroutines that a scheduler of random whims advances; what they send arrives in any order, in
pieces of 16 bytes, some of it late. The 32 lanes of a warp are an axis. Names, indices and order are those of
`rnn_impls/cluster.cu`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnn_impls.cluster_cuda import BLOCKS, THREADS, Layout

Floats = NDArray[np.float32]

WARPS = THREADS // 32
LANE = np.arange(32)


class Stuck(Exception):
    """Every warp waits, and nothing is under way."""


@dataclass
class Barrier:
    """An mbarrier of one arrival: its phase is complete when that has come and as many bytes as it expects."""

    phase: int = 0
    pending: int = 1
    bytes: int = 0

    def expect(self, count: int) -> None:
        """`mbarrier.arrive.expect_tx`."""
        assert self.pending == 1, "one arrival is made twice in a phase"
        self.pending = 0
        self.bytes += count
        self._look()

    def came(self, count: int) -> None:
        """`complete_tx`, of a store that arrived."""
        self.bytes -= count
        self._look()

    def complete(self, parity: int) -> bool:
        """`mbarrier.try_wait.parity`: whether the phase of this parity is over."""
        return self.phase % 2 != parity

    def _look(self) -> None:
        if self.pending == 0 and self.bytes == 0:
            self.phase, self.pending = self.phase + 1, 1


class Cluster:
    """One cluster over all steps: matrix (H, H), given (T, B, H), first (B, H) -> states (T, B, H), of its sequences.

    `copies` of the state take turns: two, or fewer to see it fail.
    """

    def __init__(
        self, layout: Layout, matrix: Floats, given: Floats, first: Floats, sequence0: int, copies: int = 2
    ) -> None:
        self.layout, self.given, self.sequence0, self.copies = layout, given, sequence0, copies
        self.steps, self.batch, self.hidden = given.shape
        self.rows, self.sums = layout.rows, layout.rows * layout.sequences
        self.spread, self.groups = 32 // self.sums, layout.width // 128
        self.bytes = layout.sequences * layout.width * 4
        self.states = np.full_like(given, np.nan)
        self.under_way: list[Callable[[], None]] = []
        square = np.zeros((layout.width, layout.width), np.float32)
        square[: self.hidden, : self.hidden] = matrix
        # (BLOCKS, WARPS, GROUPS, ROWS, 32, 4): kept in registers or in shared memory, each lane's own
        self.weights = square.reshape(BLOCKS, WARPS, self.rows, self.groups, 32, 4).transpose(0, 1, 3, 2, 4, 5)
        self.state = np.full((BLOCKS, 2 * self.bytes // 4), np.nan, np.float32)
        for i in range(layout.sequences * layout.width):
            b, column = sequence0 + i // layout.width, i % layout.width
            self.state[:, i] = first[b, column] if b < self.batch and column < self.hidden else 0
        self.barriers = [[Barrier(), Barrier()] for _ in range(BLOCKS)]
        for barrier in (each for two in self.barriers for each in two):
            barrier.expect(self.bytes)

    def warp(self, rank: int, number: int) -> Iterator[bool]:
        """One warp; it gives way wherever another may run, and tells whether it did something."""
        layout, row0 = self.layout, (rank * WARPS + number) * self.rows
        total = LANE // self.spread
        b, row = self.sequence0 + total // self.rows, row0 + total % self.rows
        wanted = (b < self.batch) & (row < self.hidden)
        for t in range(self.steps):
            added = np.where(wanted, self.given[t, np.minimum(b, self.batch - 1), np.minimum(row, self.hidden - 1)], 0)
            if t > 0:
                barrier, parity = self.barriers[rank][t % self.copies], (t - 1) // self.copies % 2
                while not barrier.complete(parity):
                    yield False
                if number == 0:
                    barrier.expect(self.bytes)
            yield True
            now = t % self.copies * layout.sequences * layout.width
            sums = np.zeros((self.sums, 32), np.float32)
            for g in range(self.groups):
                for s in range(layout.sequences):
                    places = now + s * layout.width + g * 128 + LANE[:, None] * 4 + np.arange(4)
                    x = self.state[rank, places]  # (32, 4)
                    for r in range(self.rows):
                        sums[s * self.rows + r] += (self.weights[rank, number, g, r] * x).sum(1)
                if g % 2:
                    yield True
            result = np.where(wanted, np.tanh(added + self.together(sums)), 0).astype(np.float32)
            if t + 1 < self.steps:
                self.send(row0, result, (t + 1) % self.copies)
                yield True
            writes = wanted & (LANE % self.spread == 0)
            assert np.isnan(self.states[t, b[writes], row[writes]]).all(), "a result is written twice"
            self.states[t, b[writes], row[writes]] = result[writes]

    def together(self, sums: Floats) -> Floats:
        """All lanes' sums (SUMS, 32) -> each lane's one."""
        left, apart = self.sums, 16
        while apart:
            if left > 1:
                upper = (LANE & apart) > 0
                low, high = sums[: left // 2], sums[left // 2 : left]
                sums = np.where(upper, high, low) + np.where(upper, low, high)[:, LANE ^ apart]
                left //= 2
            else:
                sums = sums[:1] + sums[:1, LANE ^ apart]
            apart //= 2
        found: Floats = sums[0]
        return found

    def send(self, row0: int, result: Floats, copy: int) -> None:
        """Each lane four rows to one block, as often as it takes."""
        for first_quad in range(0, -(-self.sums // 4), 2):
            quad = first_quad + LANE // BLOCKS
            four = np.stack([result[(quad * 4 + j) * self.spread % 32] for j in range(4)], 1)
            place = (copy * self.layout.sequences + quad * 4 // self.rows) * self.layout.width
            place += row0 + quad * 4 % self.rows
            for lane in LANE[quad * 4 < self.sums]:
                self.under_way.append(self.store(int(lane % BLOCKS), int(place[lane]), four[lane], copy))

    def store(self, to: int, place: int, four: Floats, copy: int) -> Callable[[], None]:
        """`st.async`: four numbers, and their bytes counted where they arrive."""
        assert place % 4 == 0, "a store of 16 bytes has to begin at a multiple of them"

        def arrive() -> None:
            self.state[to, place : place + 4] = four
            self.barriers[to][copy].came(16)

        return arrive

    def run(self, seed: int) -> Floats:
        """To the end, by the whims of a seed. Raises Stuck where nothing goes on."""
        whim = random.Random(seed)
        alive = [self.warp(rank, number) for rank in range(BLOCKS) for number in range(WARPS)]
        slow = set(whim.sample(range(len(alive)), 8))  # of them some warps are left behind as far as the others go
        idle = 0
        while alive:
            if self.under_way and (whim.random() < 0.9 or idle > len(alive)):
                place = whim.randrange(len(self.under_way))
                self.under_way[place], self.under_way[-1] = self.under_way[-1], self.under_way[place]
                self.under_way.pop()()
                idle = 0
                continue
            which = whim.randrange(len(alive))
            if which in slow and whim.random() < 0.9 and idle < 100:
                idle += 1
                continue
            try:
                idle = 0 if next(alive[which]) else idle + 1
            except StopIteration:
                alive.pop(which)
            if idle > 100 * BLOCKS * WARPS and not self.under_way:
                raise Stuck
        assert not self.under_way, "something was sent to a block that may have left"
        return self.states


def emulated(layout: Layout, matrix: Floats, given: Floats, first: Floats, seed: int = 0, copies: int = 2) -> Floats:
    """All clusters, one after the other: matrix (H, H), given (T, B, H), first (B, H) -> states (T, B, H)."""
    states = np.full_like(given, np.nan)
    for number in range(layout.blocks(given.shape[1]) // BLOCKS):
        cluster = Cluster(layout, matrix, given, first, number * layout.sequences, copies)
        own = slice(number * layout.sequences, (number + 1) * layout.sequences)
        states[:, own] = cluster.run(seed + number)[:, own]
    return states
