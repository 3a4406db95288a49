"""Are the results of timed calls right, and does whoever is timed remember them?

Right: a few calls, drawn at random, are looked at. What parity has seen are an implementation's first calls; one that
is right then and takes a short cut later would win. torch's own module of the network, or else the network's step, says
what the inputs of that call give: it costs one call where the float64 reference would cost a hundred, and here a short
cut is to be told from rounding, not one rounding from another. It computes in the Case's dtype, in float32 for shorter
ones.

Remembered: a call with inputs that it was given before then does less. What counts is not time but the operators that
torch runs: whoever looks inputs up does so for new ones, too, and then computes besides. A kernel of one's own that is
no operator of torch cannot be seen.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from bench.cases.case import Case
from bench.measure.fault import Fault
from bench.measure.parity import ParityError, Tolerance, compare
from bench.measure.problem import Feed, Problem, loss, network_of
from bench.measure.reference import forward, head, rounded
from bench.measure.workload import Workload
from rnn_impls.interface import Implementation
from rnn_impls.states import State, mapped

ALLOWED = {
    "float64": Tolerance(1e-8, 1e-3),
    "float32": Tolerance(1e-3, 1e-2),
    "float32-tf32": Tolerance(5e-2, 0.4),
    "bfloat16": Tolerance(0.2, 0.8),
    "float16": Tolerance(5e-2, 0.4),
}
"""Several times what parity allows (see `bench.measure.parity`), because both sides round, and because inputs are
others every time: with relu a unit that is nearly zero falls to either side, which moves a gradient by up to a
thousandth. Results that are zeros err by 0.6 and gradients by 1."""


@dataclasses.dataclass(frozen=True)
class Results:
    """What must come out, as `bench.measure.parity.Expected` has it."""

    outputs: Tensor
    hidden: State
    gradients: dict[str, Tensor]


class SpotChecks:
    """The checks of one Case in one process: the n-th of every implementation is of the same inputs."""

    def __init__(self, case: Case, problem: Problem, feed: Feed) -> None:
        self._case, self._problem, self._feed = case, problem, feed
        self._dtype = torch.float64 if case.dtype == "float64" else torch.float32
        self._angles: list[float] = []
        self._results: dict[tuple[int, str, bool], Results] = {}

    def angle(self, number: int) -> float:
        """The angle of `Feed` at which the n-th check is made."""
        while len(self._angles) <= number:
            self._angles.append(self._feed.angle())
        return self._angles[number]

    def check(self, number: int, results: object, workload: Workload) -> None:
        """Compare what a call for the n-th angle gave. Raises ParityError saying what is wrong with it."""
        own = workload.module
        key = (number, own.rounds_weights_to, own.starts_at_zero)
        if key not in self._results:
            self._results[key] = self._expected(number, own)
        try:
            compare(self._results[key], results, workload, ALLOWED[workload.case.arithmetic])
        except ParityError as error:
            raise ParityError(f"wrong in a timed call: {error}") from None

    def _expected(self, number: int, own: Implementation) -> Results:
        training = self._case.mode == "training"
        inputs, hidden = self._feed.fill(1, 0, self.angle(number))[0]
        inputs, hidden = inputs.to(self._dtype), mapped(lambda state: state.to(self._dtype), hidden)
        if own.starts_at_zero:
            hidden = mapped(torch.zeros_like, hidden)
        weights = {
            name: rounded(name, weight, own.rounds_weights_to).to(self._dtype, copy=True).requires_grad_(training)
            for name, weight in self._problem.weights.items()
        }
        with torch.set_grad_enabled(training):
            outputs, last = computed(self._case, weights, inputs, hidden, self._dtype)
            outputs = self._problem.masked(outputs)
            gradients = {}
            if training:
                total = loss(outputs, self._target(), self._case.loss, self._problem.lengths)
                found = torch.autograd.grad(total, list(weights.values()), materialize_grads=True)
                gradients = {name: gradient.double() for name, gradient in zip(weights, found, strict=True)}
        return Results(outputs.detach().double(), mapped(lambda state: state.detach().double(), last), gradients)

    def _target(self) -> Tensor:
        target = self._problem.target
        return target.to(self._dtype) if target.is_floating_point() else target


def computed(
    case: Case, weights: dict[str, Tensor], inputs: Tensor, hidden: State, dtype: torch.dtype
) -> tuple[Tensor, State]:
    """Outputs and states of a Case by torch's own module of the network, where it has one: it costs one call. Else by
    the network's step. The module's own parameters take the place of the weights that it has."""
    module = network_of(case.network)({}).library(
        case.input_size,
        case.hidden_size,
        case.num_layers,
        bidirectional=case.bidirectional,
        device=case.device,
        dtype=dtype,
    )
    if module is None:
        return forward(case, weights, inputs, hidden)
    module.load_state_dict({name: weights[name] for name in module.state_dict()})
    weights |= dict(module.named_parameters())
    outputs, last = module(inputs, hidden)
    return head(case, weights, outputs), last


class Remembers(Fault):
    """It does; the text says how that shows."""


def check_forgets(case: Case, implementation: type[Implementation]) -> None:
    """Call it with new inputs, with others, and with the same again in other tensors. Raises Remembers where the last
    call runs fewer operators than the one before, and whatever building or calling the implementation raises."""
    workload = Workload(case, implementation, Problem.of(case))
    for _ in range(2):  # what is done once, at a first call, is no sign
        workload.renew(1)
        new = _operators(workload)
    workload.given = [(inputs.clone(), mapped(Tensor.clone, hidden)) for inputs, hidden in workload.given]
    if _operators(workload) < new:
        raise Remembers("remembers its results: it runs fewer operators for inputs that it was given before")


def _operators(workload: Workload) -> int:
    """How many operators a call runs, by torch's profiler; an operator's name has a namespace, as in `aten::mm`."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        workload(1)
    return sum("::" in event.name for event in profile.events() or ())
