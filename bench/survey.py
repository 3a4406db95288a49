"""The survey: what must be known of a cell before it is timed.

Is it available here, does it compute the network, about how long is a call, how long did building it take, how much
memory does a call need, and does it give that back. None of these calls is a sample.
"""

from __future__ import annotations

import dataclasses
import time
import traceback
from pathlib import Path

import torch

from bench import state
from bench.alternate import BadSample, check_reading
from bench.cases import Case
from bench.clock import Reading, clock_for
from bench.ledger import Ledger
from bench.manifest import FAILED, LEFT_OUT, MISSING, UNAVAILABLE, CellRecord
from bench.memory import LEAKY_CALLS, footprint, left_bytes
from bench.parity import ParityError, Reference, check
from bench.problem import Feed, Problem
from bench.tree import outside
from bench.workload import Workload
from rnn_impls import registry
from rnn_impls.interface import Implementation, Unavailable

PREFIX_STEPS = 4
"""Steps of the short sequence by which the length of a whole call is foreseen."""

LONG_CALL_SECONDS = 0.02
"""A call that lasts longer is made once to see how long: it only decides how many rounds a pass gets."""


class Surveyor:
    """Surveys cells one after the other; cells of one Case share its reference."""

    def __init__(self, max_call: float, ledger: Ledger, memory: bool = True, tree: Path | None = None) -> None:
        """`max_call` in seconds; without `memory` neither a cell's peak nor leaks are asked for. With a `tree`, all
        that it holds has to be imported from it."""
        self.max_call = max_call
        self.memory, self.tree = memory, tree
        self.ledger = ledger
        self._reference: Reference | None = None
        self._feed: Feed | None = None

    def survey(self, case: Case, name: str) -> CellRecord:
        """The record of one cell; whatever the implementation raises becomes its status and reason."""
        record = CellRecord(case.id, name)
        try:
            registry.select(name, case.device)
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
            foreseen = self._foreseen_seconds(case, implementation)
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
        with self.ledger.on("survey"):
            whole = self._reference.case.seq_len == case.seq_len
            problem = self._reference.problem if whole else Problem.of(case)
            self._feed = self._feed or Feed(problem)
            start = time.perf_counter()
            workload = Workload(case, implementation, problem, self._feed)
            record.build_seconds = time.perf_counter() - start + workload.module.compile_seconds
            record.chosen = getattr(workload.module, "chosen", "")  # another tree may not know of it
            record.call_seconds = seconds_per_call(workload, case.device)
        if not self.memory:
            return
        with self.ledger.on("memory"):
            found = footprint(workload)
            record.peak_bytes = None if found is None else found.peak
            left = left_bytes(workload) if found is not None and found.left > 0 else 0
        if left:  # thousands of calls would take all the memory there is
            record.status = FAILED
            record.reason = f"leaks memory: each of {LEAKY_CALLS} calls in a row left {left} bytes or more behind"

    def _foreseen_seconds(self, case: Case, implementation: type[Implementation]) -> float:
        """Length of a call by that of a short sequence, so that a call of minutes is never made to find that out."""
        if case.seq_len <= 2 * PREFIX_STEPS:
            return 0.0
        short = dataclasses.replace(case, seq_len=PREFIX_STEPS)
        workload = Workload(short, implementation, Problem.of(short))
        with state.kept("when it is called"):
            return seconds_per_call(workload, case.device, spend=0.0) * case.seq_len / PREFIX_STEPS


def seconds_per_call(run: Workload, device: str, spend: float = 0.01) -> float:
    """The best of a few calls, less their waiting, over about `spend` seconds, with new inputs each time; a rough
    figure, never a sample.

    Raises BadSample for a time that cannot be: with such a clock nothing can be measured.
    """
    clock = clock_for(device)
    run.renew(1)
    best = _checked(clock.time(run, 1))
    if best > LONG_CALL_SECONDS:  # warm or not makes little difference to it
        return best
    spent = 0.0
    for _ in range(9):
        run.renew(1)
        seconds = _checked(clock.time(run, 1))
        best, spent = min(best, seconds), spent + seconds
        if spent > spend:
            break
    return best


def _checked(reading: Reading) -> float:
    check_reading(reading)
    return reading.seconds - (reading.evidence.waited_seconds or 0.0)


def failure(error: Exception) -> tuple[str, str]:
    """What an exception makes of a case: its status, and the reason for a reader."""
    if isinstance(error, Unavailable):
        return UNAVAILABLE, str(error)
    # torch's words for a dtype that a device does not have; a forgotten method raises without them
    return UNAVAILABLE if "not implemented for" in str(error) else FAILED, reason_of(error)


def line_of(error: Exception, name: str) -> str:
    """` (my_rnn.py, line 12)`: the last line of an implementation's file on the way to what was raised, if any."""
    path = Path(name.rpartition(":")[0])
    frames = traceback.extract_tb(error.__traceback__) if path.is_file() else []
    lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == path.resolve()]
    return f" ({path.name}, line {lines[-1]})" if lines else ""


def reason_of(error: BaseException) -> str:
    """One line that says what was raised; running out of memory is called by its name, and what this suite finds wrong
    speaks for itself."""
    text = (str(error).strip().splitlines() or [""])[0]
    if isinstance(error, (BadSample, ParityError, state.StateChanged)):
        return text
    out_of_memory = isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in text
    return f"out of memory: {text}" if out_of_memory else f"{type(error).__name__}: {text}"
