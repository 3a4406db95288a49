"""Equal before timed: an implementation's results against the float64 reference (`bench.measure.reference`)."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from bench.cases.case import Case
from bench.measure import state
from bench.measure.fault import Fault
from bench.measure.problem import Problem, network_of
from bench.measure.reference import TURNED_STEPS, Reference
from bench.measure.workload import Workload
from rnn_impls.interface import Implementation
from rnn_impls.states import State, mapped, tensors

TOLERANCE = {"float64": 1e-9, "float32": 1e-4, "float32-tf32": 1e-2, "bfloat16": 8e-2, "float16": 1e-2}
"""Largest error allowed, relative to the size of what is compared. Several hundred units of rounding for float64 and
float32 (room for any order of summation over 2048 terms, and none for TF32, which errs by 1e-3), about ten for
bfloat16 and float16, whose hidden states are rounded at every step. Where a Case allows TF32 its tolerances are those
of float16: both have a mantissa of 10 bits (NVIDIA A100 Tensor Core GPU Architecture, 2020, "TF32"), and a product
rounds the state of every step to it."""

GRADIENT_TOLERANCE = TOLERANCE | {"float32-tf32": 0.3, "bfloat16": 0.5, "float16": 0.3}
"""The same for gradients: several times the square root of the unit of rounding in the short dtypes, where rounding
pushes that share of relu's units over zero, and where the gradient of a bias is a sum that nearly cancels. Right
ones err by up to 0.36 and 0.06 at hidden 32 to 256, by 0.17 in float16 where a single sequence of two steps leaves one
such unit much weight. It only tells whether the gradient is there at all and of the right graph: whoever wants to know
more asks for float32."""


class ParityError(Fault):
    """The implementation does not compute the network; the text says what differs, where and by how much."""


class Expected(Protocol):
    """What results are compared with."""

    @property
    def outputs(self) -> Tensor:
        """(T, B, O or H)."""

    @property
    def hidden(self) -> State:
        """(L, B, H), or a tuple of such."""

    @property
    def gradients(self) -> dict[str, Tensor]:
        """By weight; empty where none are compared."""


@dataclass(frozen=True)
class Tolerance:
    """Largest errors allowed: of a state, relative to its size; of a gradient, relative to its norm."""

    state: float
    gradient: float


def check(reference: Reference, implementation: type[Implementation]) -> float:
    """Compare an implementation with the reference; return the largest relative error found.

    Looks, twice in a row, at outputs, last hidden state, and in training every gradient; then at whether the
    inputs are still what they were. The second call gets its inputs in other tensors, and a third gets other inputs in
    the tensors of the first, so that a state, a result or a place in memory that was kept shows.
    Raises `ParityError` at the first difference, and whatever building or calling the implementation raises.
    """
    if implementation.rounds_weights_to or implementation.starts_at_zero:  # it computes something else, and says so
        reference = Reference.of(reference.asked, implementation.rounds_weights_to, implementation.starts_at_zero)
    case, problem = reference.case, reference.problem
    tolerance = Tolerance(TOLERANCE[case.arithmetic], GRADIENT_TOLERANCE[case.arithmetic])
    # Copies, so that one that spoils its inputs, then differs or raises, leaves the next what it should get.
    first, second, turned = _copy(problem), _copy(problem), _copy(problem)
    workload = Workload(case, implementation, first)
    worst = compare(reference, _call(workload, first, problem), workload, tolerance)
    for tensor in (first.inputs, *tensors(first.hidden), turned.inputs, *tensors(turned.hidden)):
        tensor.neg_()
    try:
        worst = max(worst, compare(reference, _call(workload, second, problem), workload, tolerance))
    except ParityError as error:
        raise ParityError(f"differs from its first call: {error}") from error
    try:
        results = _call(workload, first, turned, backward=False)
        worst = max(worst, _compare_turned(reference, results))
    except ParityError as error:
        raise ParityError(f"keeps something of an earlier call: with other inputs, {error}") from error
    return worst


def _copy(problem: Problem) -> Problem:
    return dataclasses.replace(problem, inputs=problem.inputs.clone(), hidden=mapped(Tensor.clone, problem.hidden))


def _call(workload: Workload, given: Problem, before: Problem, backward: bool = True) -> object:
    """What one call returns. Raises ParityError when it leaves its inputs other than in `before`, StateChanged when it
    leaves something else behind."""
    training = workload.case.mode == "training"
    with state.kept("when it is called"):
        if training and backward:
            results: object = workload.train_once(given.inputs, given.hidden)
        else:
            with torch.inference_mode(not training):
                results = workload.forward(given.inputs, given.hidden)
    if not torch.equal(given.inputs, before.inputs):
        raise ParityError("changes its inputs in place")
    if not all(map(torch.equal, tensors(given.hidden), tensors(before.hidden))):
        raise ParityError("changes its hidden in place")
    return results


def _compare_turned(reference: Reference, results: object) -> float:
    """The largest relative error of the first steps for inputs of the opposite sign."""
    outputs, _ = _outputs_and_hidden(results, network_of(reference.case.network).states)
    _check_shape("outputs", outputs, reference.outputs)
    got, tolerance = outputs[:TURNED_STEPS].detach().double(), TOLERANCE[reference.case.arithmetic]
    return _elementwise("outputs", "step", got, reference.turned, tolerance, _unit(reference.case))


def _outputs_and_hidden(results: object, names: tuple[str, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """What a call of a network with these states returned, the states as a tuple, of one as of several."""
    wanted = "hidden" if len(names) == 1 else f"({', '.join(names)})"
    contract = f"forward must return the {'two ' if len(names) == 1 else ''}tensors (outputs, {wanted})"
    if not (isinstance(results, tuple) and len(results) == 2):
        raise ParityError(contract)
    outputs, hidden = results
    found = hidden if isinstance(hidden, tuple) else (hidden,)
    if len(found) != len(names) or isinstance(hidden, tuple) != (len(names) > 1):
        told = f"a tuple of {len(found)}" if isinstance(hidden, tuple) else "one state"
        raise ParityError(f"{contract}; it returns {told} in place of {wanted}")
    if not all(isinstance(result, Tensor) for result in (outputs, *found)):
        raise ParityError(contract)
    for result in (outputs, *found):
        if type(result) is not Tensor:  # one that computes when it is looked at would be timed without its work
            raise ParityError(f"forward must return plain tensors, not a {type(result).__name__}")
    return outputs, found


def _unit(case: Case) -> float:
    """The size of a weight."""
    return 1 / math.sqrt(case.hidden_size)


def compare(expected: Expected, results: object, workload: Workload, tolerance: Tolerance) -> float:
    """The largest relative error of one call's results, in training also of the gradients that it left in the
    workload's module. Raises ParityError beyond the tolerance."""
    names = network_of(workload.case.network).states
    outputs, states = _outputs_and_hidden(results, names)
    if workload.case.ragged:  # who runs over the padding can't tell the states at each sequence's end: nobody is asked
        names, states = (), ()
        _check_padding(outputs, workload.problem, tolerance.state)
    told = ["hidden"] if len(names) == 1 else [f"hidden {name}" for name in names]
    wanted_states = tensors(expected.hidden) if names else ()
    worst = 0.0
    for name, axis, got, wanted in (
        ("outputs", "step", outputs, expected.outputs),
        *zip(told, ["layer"] * len(told), states, wanted_states, strict=True),
    ):
        error = _elementwise(name, axis, got.detach().double(), wanted, tolerance.state, _unit(workload.case))
        worst = max(worst, error)
    if expected.gradients:
        gradients = workload.module.gradients()
        for name, gradient in gradients.items():
            # One bias that stands for two gets the gradient that each of them gets.
            pair = workload.module.shape.summed(name)
            wanted = expected.gradients[pair[0] if pair else name]
            worst = max(worst, _normwise(f"gradient of {name}", gradient.double(), wanted, tolerance.gradient))
    return worst


def _check_padding(outputs: Tensor, problem: Problem, tolerance: float) -> None:
    """Outputs (T, B, O or H) of a ragged batch are zeros beyond the end of each sequence."""
    if problem.mask is None or problem.lengths is None or outputs.shape[:2] != problem.mask.shape[:2]:
        return
    outputs = outputs.detach()
    wrong = (outputs * (1 - problem.mask)).abs() > tolerance
    if bool(wrong.any()):
        step, sequence, unit = (int(i) for i in wrong.nonzero()[0])
        raise ParityError(
            f"outputs must be zeros beyond the end of a sequence: sequence {sequence} has "
            f"{int(problem.lengths[sequence])} steps, and {float(outputs[step, sequence, unit]):.6g} at step {step}"
        )


def _elementwise(name: str, axis: str, got: Tensor, wanted: Tensor, tolerance: float, unit: float) -> float:
    """Compare states value by value, relative to the value plus the typical (root mean square) value.

    One weight's size, `unit`, is added: relu can leave nothing but zeros, and so can log_softmax of a single output.
    """
    _check_shape(name, got, wanted)
    scale = wanted.abs() + wanted.square().mean().sqrt() + unit
    error = ((got - wanted).abs() / scale).nan_to_num(nan=torch.inf)
    worst = float(error.max())
    if not worst <= tolerance:
        first = tuple(int(i) for i in (error > tolerance).nonzero()[0])
        value = float(got[first])
        where = f"{axis} {first[0]}, sequence {first[1]}, unit {first[2]}"
        if math.isnan(value):
            raise ParityError(f"{name} has NaN, first at {where}")
        raise ParityError(
            f"{name} differs first at {where}: {value:.6g} instead of {float(wanted[first]):.6g} "
            f"(relative error {float(error[first]):.1e}, allowed {tolerance:.0e})"
        )
    return worst


def _normwise(name: str, got: Tensor, wanted: Tensor, tolerance: float) -> float:
    """Compare a gradient as a whole: the size of the error over the size of the gradient.

    Value by value would be too strict with relu in short dtypes, where a unit near zero may fall on either side.
    """
    _check_shape(name, got, wanted)
    if bool(got.isnan().any()):
        raise ParityError(f"{name} has NaN")
    size = float(wanted.norm())
    error = float((got - wanted).norm()) / size if size else float(got.norm())
    if not error <= tolerance:
        raise ParityError(f"{name} differs: relative error {error:.1e}, allowed {tolerance:.0e}")
    return error


def _check_shape(name: str, got: Tensor, wanted: Tensor) -> None:
    if got.shape != wanted.shape:
        raise ParityError(f"{name} has the shape {tuple(got.shape)}, it must be {tuple(wanted.shape)}")
