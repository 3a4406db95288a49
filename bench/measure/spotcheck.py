"""Are the results of timed calls right, too? A few of them, drawn at random, are looked at.

What parity has seen are an implementation's first calls. One that is right then and takes a short cut later would win;
so would one that remembers. `nn.RNN`, called once with the inputs of the call that is looked at, says what they give:
it costs one call where the float64 reference would cost a hundred, and here a short cut is to be told from rounding,
not one rounding from another. It computes in the Case's dtype, in float32 for shorter ones.

Does an implementation remember its results? A call with inputs that it was given before then does less.

What counts is not time but the operators that torch runs: whoever looks inputs up does so for new ones, too, and then
computes besides. A kernel of one's own that is no operator of torch cannot be seen.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.cases.case import Case
from bench.measure.parity import ParityError, Tolerance, compare, rounded
from bench.measure.problem import Feed, Problem, loss
from bench.measure.workload import Workload
from rnn_impls.interface import Implementation

ALLOWED = {
    "float64": Tolerance(1e-8, 1e-3),
    "float32": Tolerance(1e-3, 1e-2),
    "bfloat16": Tolerance(0.2, 0.8),
    "float16": Tolerance(5e-2, 0.4),
}
"""Several times what parity allows (see `bench.measure.parity`), because both sides round, and because inputs are
others every time: with relu a unit that is nearly zero falls to either side, which moves a gradient by up to a
thousandth. Results that are zeros err by 0.6 and gradients by 1."""


@dataclasses.dataclass(frozen=True)
class Results:
    """What `nn.RNN` gives, as `bench.measure.parity.Expected` has it."""

    outputs: Tensor
    hidden: Tensor
    gradients: dict[str, Tensor]


class SpotChecks:
    """The checks of one Case in one process: the n-th of every implementation is of the same inputs."""

    def __init__(self, case: Case, problem: Problem, feed: Feed) -> None:
        self._case, self._problem, self._feed = case, problem, feed
        self._dtype = torch.float64 if case.dtype == "float64" else torch.float32
        self._angles: list[float] = []
        self._results: dict[tuple[int, str], Results] = {}

    def angle(self, number: int) -> float:
        """The angle of `Feed` at which the n-th check is made."""
        while len(self._angles) <= number:
            self._angles.append(self._feed.angle())
        return self._angles[number]

    def check(self, number: int, results: object, workload: Workload) -> None:
        """Compare what a call for the n-th angle gave. Raises ParityError saying what is wrong with it."""
        rounds_to = workload.module.rounds_weights_to
        if (number, rounds_to) not in self._results:
            self._results[number, rounds_to] = self._expected(number, rounds_to)
        try:
            compare(self._results[number, rounds_to], results, workload, ALLOWED[workload.case.dtype])
        except ParityError as error:
            raise ParityError(f"wrong in a timed call: {error}") from None

    def _expected(self, number: int, rounds_to: str) -> Results:
        case, training = self._case, self._case.mode == "training"
        inputs, hidden = (given.to(self._dtype) for given in self._feed.fill(1, 0, self.angle(number))[0])
        weights = {
            name: rounded(name, weight, rounds_to).to(self._dtype, copy=True).requires_grad_(training)
            for name, weight in self._problem.weights.items()
        }
        network = nn.RNN(
            case.input_size, case.hidden_size, case.num_layers, nonlinearity=case.nonlinearity,
            device=case.device, dtype=self._dtype,
        )  # fmt: skip
        network.load_state_dict({name: weights[name] for name in network.state_dict()})
        with torch.set_grad_enabled(training):
            outputs, last = network(inputs, hidden)
            if case.output_size:
                scores = functional.linear(outputs, weights["weight_ho"], weights["bias_ho"])
                outputs = functional.log_softmax(scores, dim=-1)
            gradients = {}
            if training:
                loss(outputs, self._target()).backward()
                found = dict(network.named_parameters()) | {k: v for k, v in weights.items() if k.endswith("_ho")}
                gradients = {name: weight.grad.double() for name, weight in found.items() if weight.grad is not None}
        return Results(outputs.detach().double(), last.detach().double(), gradients)

    def _target(self) -> Tensor:
        target = self._problem.target
        return target.to(self._dtype) if target.is_floating_point() else target


class Remembers(Exception):
    """It does; the text says how that shows."""


def check(case: Case, implementation: type[Implementation]) -> None:
    """Call it with new inputs, with others, and with the same again in other tensors. Raises Remembers where the last
    call runs fewer operators than the one before, and whatever building or calling the implementation raises."""
    workload = Workload(case, implementation, Problem.of(case))
    for _ in range(2):  # what is done once, at a first call, is no sign
        workload.renew(1)
        new = _operators(workload)
    workload.given = [(inputs.clone(), hidden.clone()) for inputs, hidden in workload.given]
    if _operators(workload) < new:
        raise Remembers("remembers its results: it runs fewer operators for inputs that it was given before")


def _operators(workload: Workload) -> int:
    """How many operators a call runs, by torch's profiler; an operator's name has a namespace, as in `aten::mm`."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        workload(1)
    return sum("::" in event.name for event in profile.events() or ())
