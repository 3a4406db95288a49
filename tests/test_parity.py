"""Equal before timed: what is right passes in every shape and dtype, and each wrong one is refused with its reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from bench.cases.case import Case
from bench.measure import reference as reference_module
from bench.measure.parity import GRADIENT_TOLERANCE, ParityError, check
from bench.measure.problem import loss
from bench.measure.reference import Reference, affordable_steps
from rnn_impls import registry
from rnn_impls.interface import Implementation, NetworkShape
from rnn_impls.manual import Manual
from rnn_impls.whole import Whole

THREE = [registry.load(name) for name in registry.THREE]
CASE = Case(input_size=5, hidden_size=16, batch_size=2, seq_len=8, output_size=3)
TRAINING = dataclasses.replace(CASE, mode="training")


def assert_all_equal(case: Case) -> None:
    """All three are within the tolerance of one reference."""
    reference = Reference.of(case)
    for implementation in THREE:
        assert check(reference, implementation) <= GRADIENT_TOLERANCE[case.dtype]


@pytest.mark.parametrize(
    ("dtypes", "mode", "least_hidden"),
    [
        (("float64", "float32"), "inference", 1),
        (("bfloat16", "float16"), "inference", 1),
        (("float64",), "training", 1),
        (("float32",), "training", 4),  # below, a gradient can be what cancellation left of it
        (("bfloat16", "float16"), "training", 32),  # below, one unit that rounding pushes over zero decides
    ],
)
def test_the_three_are_equal(dtypes: tuple[str, ...], mode: str, least_hidden: int) -> None:
    """Outputs, hidden states and gradients of any small network: layers, steps, batch, sizes, head or none."""
    pytest.importorskip("hypothesis", reason="hypothesis is not installed; pip install .[test]")
    from hypothesis import given, settings
    from hypothesis import strategies as st

    @settings(derandomize=True, deadline=None, database=None, max_examples=60)
    @given(
        st.builds(
            Case,
            dtype=st.sampled_from(dtypes),
            mode=st.just(mode),
            network=st.sampled_from(("rnn-tanh", "rnn-relu")),
            input_size=st.integers(1, 17),
            hidden_size=st.integers(least_hidden, least_hidden + 16),
            num_layers=st.integers(1, 3),
            batch_size=st.integers(1, 4),
            seq_len=st.integers(1, 12),
            output_size=st.sampled_from((0, 1, 2, 3, 4, 5)),
        )
    )
    def equal(case: Case) -> None:
        assert_all_equal(case)

    equal()


@pytest.mark.long
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_tolerance_has_room_for_long_sequences(dtype: str, nonlinearity: str) -> None:
    """512 steps at hidden 128 pass, forward and backward; half as many in short dtypes, which the CPU is slow in."""
    steps = 512 if dtype == "float32" else 256
    case = Case(dtype=dtype, mode="training", network=f"rnn-{nonlinearity}", seq_len=steps, output_size=2)
    assert affordable_steps(case) == steps
    assert_all_equal(case)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_reference_is_torchs_own_network(nonlinearity: str) -> None:
    """In float64 `torch.nn.RNN`, loaded by its own state dict, gives the reference's outputs and gradients."""
    case = Case("cpu", "float64", "training", nonlinearity, input_size=5, hidden_size=7, num_layers=3, batch_size=2)
    reference = Reference.of(case)
    network = nn.RNN(5, 7, 3, nonlinearity=nonlinearity).double()
    network.load_state_dict(reference.problem.weights)
    outputs, hidden = network(reference.problem.inputs, reference.problem.hidden)
    loss(outputs, reference.problem.target).backward()
    torch.testing.assert_close(outputs, reference.outputs, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(hidden, reference.hidden, rtol=1e-10, atol=1e-12)
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(parameter.grad, reference.gradients[name], rtol=1e-10, atol=1e-12)


def test_inference_has_no_gradients_to_compare() -> None:
    """The reference of a Case in inference carries none."""
    assert Reference.of(CASE).gradients == {}
    assert set(Reference.of(TRAINING).gradients) == set(NetworkShape(5, 16, 1, 3).weight_shapes())


Results = tuple[Tensor, Tensor]


def spoiled(change: Callable[[Results], object]) -> type[Implementation]:
    """Make the right network, with its results changed on their way out."""

    class Spoiled(Whole):
        def forward(self, inputs: Tensor, hidden: Tensor) -> Results:
            outputs, hidden = super().forward(inputs, hidden)
            return change((outputs.clone(), hidden.clone()))  # type: ignore[return-value]  # some are wrong on purpose

    return Spoiled


def add_at_step(step: int, error: float) -> Callable[[Results], Results]:
    """From this step on, the outputs of sequence 1, unit 2 are wrong."""

    def change(results: Results) -> Results:
        results[0][step:, 1, 2] += error
        return results

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (add_at_step(5, 0.1), "outputs differs first at step 5, sequence 1, unit 2: .* instead of .*allowed 1e-04"),
        (add_at_step(0, 1.0), "outputs differs first at step 0, sequence 1, unit 2"),
        (add_at_step(3, float("nan")), "outputs has NaN, first at step 3, sequence 1, unit 2"),
        (add_at_step(7, float("inf")), "outputs differs first at step 7, sequence 1, unit 2: inf instead of"),
        (lambda r: (r[0], r[1] + 0.1), "hidden differs first at layer 0, sequence 0, unit 0"),
        (lambda r: (r[0][-1:], r[1]), r"outputs has the shape \(1, 2, 3\), it must be \(8, 2, 3\)"),
        (lambda r: (r[0], r[1][0]), r"hidden has the shape \(2, 16\), it must be \(1, 2, 16\)"),
        (lambda r: (r[0].transpose(0, 1), r[1]), r"outputs has the shape \(2, 8, 3\)"),
        (lambda r: r[0], "must return the two tensors"),
        (lambda r: (r[0], None), "must return the two tensors"),
        (lambda r: (*r, r[0]), "must return the two tensors"),
        (lambda r: (r[0] * 1.001, r[1] * 1.001), "outputs differs"),
    ],
    ids=[
        "step 5",
        "step 0",
        "nan",
        "inf",
        "hidden",
        "last step only",
        "hidden shape",
        "transposed",
        "single",
        "none",
        "three",
        "tf32",
    ],
)
def test_wrong_results_are_refused(change: Callable[[Results], object], message: str) -> None:
    """The reason names the tensor and the first place; an error of TF32's size is one in float32."""
    with pytest.raises(ParityError, match=message):
        check(Reference.of(CASE), spoiled(change))


def test_an_error_of_rounding_size_passes() -> None:
    """The tolerance is not zero: what another order of summation does is allowed."""
    assert 0 < check(Reference.of(CASE), spoiled(lambda r: (r[0] * (1 + 1e-6), r[1]))) < 1e-5


class OffByOne(Manual):
    """Forgets the previous state at one step."""

    def forward(self, inputs: Tensor, hidden: Tensor) -> Results:
        """Run the sequence in two halves, the second from nothing."""
        first, _ = super().forward(inputs[:4], hidden)
        second, last = super().forward(inputs[4:], torch.zeros_like(hidden))
        return torch.cat((first, second)), last


@pytest.mark.parametrize("case", [CASE, TRAINING], ids=["inference", "training"])
def test_the_first_differing_step_is_named(case: Case) -> None:
    """A state lost before step 4 shows at step 4, sequence 0, and not later."""
    with pytest.raises(ParityError, match="outputs differs first at step 4, sequence 0"):
        check(Reference.of(case), OffByOne)


class ChangesInputs(Whole):
    """Leaves zeros where the inputs were."""

    def forward(self, inputs: Tensor, hidden: Tensor) -> Results:
        """Compute rightly, then wipe."""
        results = super().forward(inputs.clone(), hidden)
        inputs.zero_()
        return results


class ChangesHidden(Whole):
    """Uses the given hidden state as its own store."""

    def forward(self, inputs: Tensor, hidden: Tensor) -> Results:
        """Compute rightly, then overwrite."""
        outputs, last = super().forward(inputs, hidden.clone())
        hidden.copy_(last.detach())
        return outputs, last


class SpoilsAndRaises(Whole):
    """Wipes its inputs and then fails."""

    def forward(self, inputs: Tensor, hidden: Tensor) -> Results:
        """Wipe and raise."""
        inputs.zero_()
        hidden.zero_()
        raise RuntimeError("out of ideas")


@pytest.mark.parametrize("case", [CASE, TRAINING], ids=["inference", "training"])
@pytest.mark.parametrize(
    ("implementation", "error", "message"),
    [
        (ChangesInputs, ParityError, "changes its inputs in place"),
        (ChangesHidden, ParityError, "changes its hidden in place"),
        (SpoilsAndRaises, RuntimeError, "out of ideas"),
    ],
)
def test_one_that_spoils_its_inputs_harms_only_itself(
    case: Case, implementation: type[Implementation], error: type[Exception], message: str
) -> None:
    """It is refused, what it raises comes through, and the next is given the inputs as they were."""
    reference = Reference.of(case)
    with pytest.raises(error, match=message):
        check(reference, implementation)
    fresh = Reference.of(case).problem
    assert torch.equal(reference.problem.inputs, fresh.inputs)
    assert torch.equal(reference.problem.hidden, fresh.hidden)
    check(reference, Whole)


class KeepsState(Whole):
    """Goes on from where the last call ended."""

    kept: Tensor | None = None

    def forward(self, inputs: Tensor, hidden: Tensor) -> Results:
        """Start from the kept state if there is one."""
        outputs, last = super().forward(inputs, hidden if self.kept is None else self.kept)
        self.kept = last.detach().clone()
        return outputs, last


@pytest.mark.parametrize("case", [CASE, TRAINING], ids=["inference", "training"])
def test_state_kept_between_calls_is_refused(case: Case) -> None:
    """The first call is right; the second is not, and the reason says so."""
    with pytest.raises(ParityError, match="differs from its first call: outputs differs first at step 0"):
        check(Reference.of(case), KeepsState)


class KeepsResults(Whole):
    """Computes once, and then answers from memory."""

    results: Results | None = None

    def forward(self, inputs: Tensor, hidden: Tensor) -> Results:
        """Compute when there is nothing yet."""
        if self.results is None:
            self.results = super().forward(inputs, hidden)
        return self.results


class KnowsItsInputs(Whole):
    """Answers from memory for a tensor that it has seen."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        self.seen: dict[int, Results] = {}

    def forward(self, inputs: Tensor, hidden: Tensor) -> Results:
        """Look whether this tensor has been here before."""
        if inputs.data_ptr() not in self.seen:
            self.seen[inputs.data_ptr()] = super().forward(inputs, hidden)
        return self.seen[inputs.data_ptr()]


class KeepsItsInputs(Whole):
    """Computes, but from the tensors that it was first shown."""

    first: Results | None = None

    def forward(self, inputs: Tensor, hidden: Tensor) -> Results:
        """Take the tensors of the first call."""
        self.first = self.first or (inputs, hidden)
        return super().forward(*self.first)


KEPT = "keeps something of an earlier call: with other inputs, outputs differs first at step 0"


@pytest.mark.parametrize(
    ("implementation", "case", "message"),
    [
        (KeepsResults, CASE, KEPT),
        (KeepsResults, TRAINING, "Trying to backward through the graph a second time"),
        (KnowsItsInputs, CASE, KEPT),
        (KnowsItsInputs, TRAINING, KEPT),
        (KeepsItsInputs, CASE, "differs from its first call: outputs differs first at step 0"),
        (KeepsItsInputs, TRAINING, "differs from its first call: outputs differs first at step 0"),
    ],
)
def test_results_and_inputs_kept_between_calls_are_refused(
    implementation: type[Implementation], case: Case, message: str
) -> None:
    """Timing calls again and again with the same inputs; it would take remembering for speed."""
    with pytest.raises((ParityError, RuntimeError), match=message):
        check(Reference.of(case), implementation)


def test_one_step_and_one_unit_are_compared_with_other_inputs() -> None:
    """The shortest and narrowest of networks pass, and a kept result is still found."""
    case = Case(input_size=1, hidden_size=1, seq_len=1, batch_size=1)
    reference = Reference.of(case)
    assert reference.turned.shape == (1, 1, 1)
    check(reference, Whole)
    with pytest.raises(ParityError, match="keeps something of an earlier call"):
        check(reference, KeepsResults)


class TruncatesGraph(Manual):
    """Right outputs, but no gradient flows from one step to the one before."""

    def forward(self, inputs: Tensor, hidden: Tensor) -> Results:
        """Detach the state after every step."""
        outputs = []
        for step in inputs.unbind(0):
            output, hidden = super().forward(step.unsqueeze(0), hidden.detach())
            outputs.append(output)
        return torch.cat(outputs), hidden


class DropsGradient(Whole):
    """Right outputs, but the head's bias is outside the graph."""

    def forward(self, inputs: Tensor, hidden: Tensor) -> Results:
        """Apply the head with a detached bias."""
        states, last = self.rnn(inputs, hidden)
        assert self.head is not None
        weights = self.head.weight_map()
        return torch.log_softmax(states @ weights["weight_ho"].T + weights["bias_ho"].detach(), -1), last


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_a_cut_graph_is_refused_in_training_only(dtype: str) -> None:
    """Its outputs are right, so inference is fair; its gradients are not."""
    case = dataclasses.replace(CASE, dtype=dtype, num_layers=2, hidden_size=32)
    check(Reference.of(case), TruncatesGraph)
    with pytest.raises(ParityError, match="gradient of weight_ih_l0 differs: relative error"):
        check(Reference.of(dataclasses.replace(case, mode="training")), TruncatesGraph)


def test_a_dropped_gradient_is_refused_in_training_only() -> None:
    """A weight that no gradient reaches is named."""
    check(Reference.of(CASE), DropsGradient)
    with pytest.raises(ValueError, match="bias_ho got no gradient"):
        check(Reference.of(TRAINING), DropsGradient)


def test_a_gradient_that_is_nan_is_refused() -> None:
    """NaN compares with nothing, and yet is no equality."""

    class NanGradient(Whole):
        def forward(self, inputs: Tensor, hidden: Tensor) -> Results:
            outputs, last = super().forward(inputs, hidden)
            if outputs.requires_grad:
                outputs.register_hook(lambda g: g * torch.nan)
            return outputs, last

    with pytest.raises(ParityError, match=r"gradient of .* has NaN"):
        check(Reference.of(TRAINING), NanGradient)


def test_long_sequences_are_checked_as_far_as_affordable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference says how many of the steps asked for it has; a difference among those is found."""
    case = dataclasses.replace(CASE, seq_len=1000)
    per_step = 2 * 16 * (5 + 16)  # B H (I + H)
    monkeypatch.setattr(reference_module, "REFERENCE_BUDGET", 30 * per_step)
    reference = Reference.of(case)
    assert affordable_steps(case) == 30
    assert (reference.asked.seq_len, reference.case.seq_len) == (1000, 30)
    assert reference.problem.inputs.shape == (30, 2, 5)
    check(reference, Whole)
    with pytest.raises(ParityError, match="step 29"):
        check(reference, spoiled(add_at_step(29, 0.5)))
    assert affordable_steps(dataclasses.replace(case, mode="training")) == 10


def test_affordable_steps_is_never_too_few_nor_more_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps at least, as a recurrence needs; one where there is only one."""
    monkeypatch.setattr(reference_module, "REFERENCE_BUDGET", 1.0)
    assert affordable_steps(CASE) == 2
    assert affordable_steps(dataclasses.replace(CASE, seq_len=1)) == 1
    monkeypatch.setattr(reference_module, "REFERENCE_BUDGET", 1e12)
    assert affordable_steps(CASE) == CASE.seq_len
