"""The survey: what must be known of a cell before it is timed.

Is it available here, does it compute the network, about how long is a call, how long did building it take, how much
memory does a call need, does it give that back, and what kernel ran. None of these calls is a sample.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from bench.cases import lengths
from bench.cases.case import Case
from bench.host.clock import Ledger
from bench.measure import state
from bench.measure.fault import reason_of
from bench.measure.memory import LEAKY_CALLS, footprint, left_bytes
from bench.measure.parity import ParityError, check
from bench.measure.problem import Feed, Problem, network_shape
from bench.measure.reference import Reference
from bench.measure.workload import Workload, seconds_per_call
from bench.store.manifest import FAILED, LEFT_OUT, MISSING, UNAVAILABLE, CellRecord
from bench.why.kernel.look import kernel_of
from bench.why.kernel.naming import Kernel
from bench.why.meters import Counted, meters
from bench.worker.tree import outside
from rnn_impls import networks, registry
from rnn_impls.interface import Implementation, Unavailable

PREFIX_STEPS = 4
"""Steps of the short sequence by which the length of a whole call is foreseen."""


class Surveyor:
    """Surveys cells one after the other; cells of one Case share its reference."""

    def __init__(
        self,
        max_call: float,
        ledger: Ledger,
        memory: bool = True,
        tree: Path | None = None,
        meters: bool = False,
    ) -> None:
        """`max_call` in seconds; without `memory` neither a cell's peak nor leaks are asked for. With a `tree`, all
        that it holds has to be imported from it. With `meters` what is exact of a call is `counted`, too."""
        self.max_call = max_call
        self.memory, self.tree, self.meters = memory, tree, meters
        self.counted: Counted | None = None
        self.ledger = ledger
        self._reference: Reference | None = None
        self._feed: Feed | None = None

    def survey(self, case: Case, name: str) -> CellRecord:
        """The record of one cell; whatever the implementation raises becomes its status and reason."""
        record = CellRecord(case.id, name)
        self.counted = None
        try:
            registry.select(name, case.device)
            networks.find(case.network)
        except ValueError as error:  # another tree may not have it
            record.status, record.reason = MISSING, str(error)
            return record
        try:
            with state.kept("when it is imported"):
                implementation = registry.load(name)
        except (ValueError, state.StateChanged) as error:  # it does not import, is no network, or changes others'
            record.status, record.reason = FAILED, str(error)
            return record
        try:
            record.about = registry.describe(name)
            record.weights_dtype = implementation.rounds_weights_to
            record.needs = list(getattr(implementation, "needs", ()))  # another tree may not know of it
            record.same_as = vars(implementation).get("same_in", {}).get(case.mode, "")  # its own word, not its base's
            with state.kept("when it is built or called"):
                self._survey(case, implementation, record)
        except ParityError as error:
            record.status, record.reason = FAILED, f"not equal to the reference: {error}"
        except Exception as error:  # a user's implementation may raise anything; the rest of the run goes on
            record.status, record.reason = failure(error)
        if self.tree is not None and (elsewhere := outside(self.tree)):
            record.status, record.reason = FAILED, elsewhere
        return record

    def _survey(self, case: Case, implementation: type[Implementation], record: CellRecord) -> None:
        with self.ledger.on("survey"):
            foreseen, prefix = self._foreseen_seconds(case, implementation)
        if foreseen > self.max_call:
            record.status, record.call_seconds = LEFT_OUT, foreseen
            record.reason = f"one call would take about {foreseen:.1f} s, more than --max-call {self.max_call:g} s"
            return
        with self.ledger.on("parity"):
            if self._reference is None or self._reference.asked != case:
                self._reference = self._feed = None  # let go of the last ones before making the next
                self._reference = Reference.of(case)
            record.parity_error = check(self._reference, implementation)
            record.parity_seq_len = self._reference.case.seq_len
            record.products = products_of(case)
            record.useful_steps = sum(lengths.of(case)) if case.ragged else None
        with self.ledger.on("survey"):
            whole = self._reference.case.seq_len == case.seq_len
            problem = self._reference.problem if whole else Problem.of(case)
            self._feed = self._feed or Feed(problem)
            workload = Workload(case, implementation, problem, self._feed)
            record.build_seconds = workload.build_seconds
            record.chosen = getattr(workload.module, "chosen", "")  # another tree may not know of it
            record.call_seconds = seconds_per_call(workload, case.device)
        with self.ledger.on("kernel"):
            record.kernel = str(self._kernel(workload, prefix))
        if self.meters:
            with self.ledger.on("meters"):
                self.counted = meters(workload)
            record.meters = self.counted.exact
        if not self.memory:
            return
        with self.ledger.on("memory"):
            found = footprint(workload)
            record.peak_bytes = None if found is None else found.peak
            left = left_bytes(workload) if found is not None and found.left > 0 else 0
        if left:  # thousands of calls would take all the memory there is
            record.status = FAILED
            record.reason = f"leaks memory: each of {LEAKY_CALLS} calls in a row left {left} bytes or more behind"

    def _foreseen_seconds(self, case: Case, implementation: type[Implementation]) -> tuple[float, Workload | None]:
        """Length of a call by that of a short sequence, so that a call of minutes is never made to find that out; and
        what was called, None for a sequence that is short itself."""
        if case.seq_len <= 2 * PREFIX_STEPS:
            return 0.0, None
        short = dataclasses.replace(case, seq_len=PREFIX_STEPS)
        workload = Workload(short, implementation, Problem.of(short))
        with state.kept("when it is called"):
            return seconds_per_call(workload, case.device, spend=0.0) * case.seq_len / PREFIX_STEPS, workload

    @staticmethod
    def _kernel(workload: Workload, prefix: Workload | None) -> Kernel:
        """What runs, by a call of the whole sequence; by the short one where that goes step by step, since thousands of
        steps alike take the profiler seconds to record. What was compiled for a length is called with no other."""
        if prefix is not None and getattr(prefix.module, "chosen", "") == getattr(workload.module, "chosen", ""):
            short = kernel_of(prefix)
            if short.looping:
                return short
        return kernel_of(workload)


def failure(error: Exception) -> tuple[str, str]:
    """What an exception makes of a case: its status, and the reason for a reader."""
    if isinstance(error, Unavailable):
        return UNAVAILABLE, str(error)
    # torch's words for a dtype that a device does not have; a forgotten method raises without them
    return UNAVAILABLE if "not implemented for" in str(error) else FAILED, reason_of(error)


def products_of(case: Case) -> list[list[int]] | None:
    """Products of each layer of a network that does not state them; None for one that does."""
    shape = network_shape(case)
    if shape.network({}).products(case.input_size, case.hidden_size) is not None:
        return None
    return [list(each) for each in shape.products()]
