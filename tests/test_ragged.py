"""Ragged batches: how long each sequence is, who takes the lengths, and that all compute the same network."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from bench import cli
from bench.cases import lengths
from bench.cases.case import Case
from bench.cases.words import in_words
from bench.host.clock import Ledger
from bench.measure.parity import ParityError, check
from bench.measure.problem import Problem, loss, network_shape
from bench.measure.reference import Reference, head
from bench.measure.workload import Workload
from bench.store.manifest import MEASURED, UNAVAILABLE
from bench.why.work import work
from bench.worker.surveyor import Surveyor
from rnn_impls import networks, registry
from rnn_impls.adapter import adapted
from rnn_impls.bucketed import Bucketed
from rnn_impls.interface import Implementation, State
from rnn_impls.manual import Manual
from rnn_impls.packed import Packed
from rnn_impls.whole import Whole
from tests.test_networks import LEAKY

TAKING = ("packed", "packed-sorted", "bucketed", "bucketed-manual")
OPTIONS = ["--preset", "smoke", "--impl", "whole,packed", "--mode", "inference", "--hidden-size", "4", "--passes", "1"]


def small(mode: str = "inference", **fields: object) -> Case:
    """A small case of six sequences, about half of which is padding."""
    sizes: dict[str, object] = {"input_size": 3, "hidden_size": 4, "batch_size": 6, "seq_len": 7, "network": "gru"}
    return Case.from_dict(Case().as_dict() | sizes | {"mode": mode, "lengths": "uniform:0.1"} | fields)


@pytest.mark.parametrize(
    ("typed", "spelled"),
    [("fixed", "fixed"), ("uniform:0.20", "uniform:0.2"), ("zipf:1.20", "zipf:1.2"), ("uniform:1", "uniform:1"),
     ("my/lengths.txt", "my/lengths.txt")],
)  # fmt: skip
def test_each_has_one_spelling(typed: str, spelled: str) -> None:
    """So that one case has one id."""
    assert lengths.spelled(typed) == Case(lengths=typed).lengths == spelled


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("some", f"unknown lengths 'some'; write {lengths.FORMS}"),
        ("uniform", f"unknown lengths 'uniform'; write {lengths.FORMS}"),
        ("uniform:much", f"unknown lengths 'uniform:much'; write {lengths.FORMS}"),
        ("uniform:0", "lengths 'uniform:0': uniform: takes a share of T, more than 0 and at most 1"),
        ("uniform:1.5", "lengths 'uniform:1.5': uniform: takes a share of T, more than 0 and at most 1"),
        ("uniform:nan", "lengths 'uniform:nan': uniform: takes a share of T, more than 0 and at most 1"),
        ("zipf:-1", "lengths 'zipf:-1': zipf: takes an exponent of more than 0"),
        ("zipf:inf", "lengths 'zipf:inf': zipf: takes an exponent of more than 0"),
        ("normal:2", f"lengths 'normal:2': write {lengths.FORMS}"),
    ],
)
def test_what_is_none_is_told_in_a_line(typed: str, told: str, tmp_path: Path) -> None:
    """Exit code 2, and nothing is written."""
    assert refused(typed, tmp_path) == f"error: {told}"


def refused(typed: str, folder: Path) -> str:
    """What `run` says of lengths that it does not take."""
    reports = folder / "reports"
    found = CliRunner().invoke(cli.app, ["run", *OPTIONS, "--lengths", typed, "--reports", str(reports)])
    assert found.exit_code == 2, found.output
    assert not reports.exists()
    return " ".join(found.output.split())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("8\n1\n9\n2\n", ": line 3 is 9, longer than the 8 steps of a case"),
        ("8\n1\n0\n2\n", ": line 3 is '0'; write a length a line, a whole number of at least 1"),
        ("8\n-1\n", ": line 2 is '-1'; write a length a line, a whole number of at least 1"),
        ("8\nlong\n", ": line 2 is 'long'; write a length a line, a whole number of at least 1"),
        ("8\n1.5\n", ": line 2 is '1.5'; write a length a line, a whole number of at least 1"),
        ("8\n\n\n0\n", ": line 4 is '0'; write a length a line, a whole number of at least 1"),
        ("8 7\n", ": line 1 is '8 7'; write a length a line, a whole number of at least 1"),
        ("8\n1\n2\n", " has 3 lengths, a batch of 4 needs as many"),
        (" \n\n", " has no lengths; write one a line"),
        ("", " has no lengths; write one a line"),
    ],
)
def test_a_file_with_something_else_is_told_by_its_line(content: str, told: str, tmp_path: Path) -> None:
    """Which line, and what stands there."""
    place = tmp_path / "l.txt"
    place.write_text(content)
    reports = tmp_path / "reports"
    asked = ["--lengths", str(place), "--batch-size", "4", "--seq-len", "8", "--reports", str(reports)]
    found = CliRunner().invoke(cli.app, ["run", *OPTIONS, *asked])
    assert (found.exit_code, found.output.replace("\n", "")) == (2, f"error: {place}{told}".replace("\n", ""))
    assert not reports.exists()


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Missing, a folder, and not text."""
    (tmp_path / "folder.txt").mkdir()
    (tmp_path / "latin.txt").write_bytes(b"7\n\xe9\n")
    assert refused(str(tmp_path / "no.txt"), tmp_path).endswith("no.txt can't be read: No such file or directory")
    assert refused(str(tmp_path / "folder.txt"), tmp_path).endswith("folder.txt can't be read: Is a directory")
    assert refused(str(tmp_path / "latin.txt"), tmp_path).endswith("latin.txt can't be read: it is not UTF-8")


@pytest.mark.parametrize("asked", ["uniform:0.5", "uniform:0.01", "uniform:1", "zipf:1.2", "zipf:0.1"])
def test_draws_keep_their_bounds(asked: str) -> None:
    """The longest has T steps, none is shorter than asked; they come longest first, of which there are B."""
    law, _, number = asked.partition(":")
    found = lengths.of(Case(lengths=asked, batch_size=500, seq_len=100))
    assert len(found) == 500 and found[0] == 100 and found == sorted(found, reverse=True)
    least = max(1, 100 * float(number)) if law == "uniform" else 1
    assert least <= found[-1] <= least + 3
    assert lengths.of(Case(lengths=asked, batch_size=1, seq_len=100)) == [100]


def test_draws_follow_their_laws() -> None:
    """The mean of a uniform draw lies halfway; of Zipf's law with exponent 2, 1 / (pi^2 / 6) have one step."""
    uniform = lengths.of(Case(lengths="uniform:0.5", batch_size=4000, seq_len=100))
    assert sum(uniform) / 4000 == pytest.approx(75, abs=1)
    zipf = lengths.of(Case(lengths="zipf:2", batch_size=4000, seq_len=1000))
    assert zipf.count(1) / 4000 == pytest.approx(0.608, abs=0.03)


def test_another_process_draws_the_same() -> None:
    """Whatever Python's hashes are salted with."""
    case = Case(lengths="zipf:1.2", batch_size=9, seq_len=50)
    code = f"from bench.cases import case, lengths; print(lengths.of(case.Case.parse({case.id!r})))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(lengths.of(case))


def test_each_line_of_a_file_is_drawn_once(tmp_path: Path) -> None:
    """A batch as large as the file has all of them; a smaller one some."""
    place = tmp_path / "l.txt"
    place.write_text("3\n1\n7\n7\n5\n")
    assert lengths.of(Case(lengths=str(place), batch_size=5, seq_len=9)) == [7, 7, 5, 3, 1]
    some = lengths.of(Case(lengths=str(place), batch_size=3, seq_len=9))
    assert len(some) == 3 and not [each for each in some if some.count(each) > [3, 1, 7, 7, 5].count(each)]


def test_a_ragged_case_is_named() -> None:
    """In its id, which parses, and in words."""
    case = Case(lengths="uniform:0.5", batch_size=4, mode="training", loss="last")
    assert case.short == "training-H0128-B0004-T0064-uniform:0.5-last"
    assert Case.parse(case.id) == Case.parse(case.short) == case
    assert in_words(case) == "hidden 128, 64 steps, batch 4, lengths uniform:0.5, loss on the last step, training"


@pytest.mark.parametrize("loss_of", ["all", "last"])
@pytest.mark.parametrize("network", ["rnn-tanh", "gru", "lstm", LEAKY])
@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("name", [*TAKING, "manual", "whole", "hoisted", "stacked-grad"])
def test_they_compute_it(name: str, mode: str, network: str, loss_of: str) -> None:
    """Outputs that are zeros beyond the ends, and every gradient, of one layer and of two with a head."""
    if network == LEAKY and name not in ("manual", "bucketed-manual"):
        pytest.skip("not made for networks of one's own")
    if mode == "inference" and loss_of == "last":
        pytest.skip("the same case as with a loss on all steps")
    for further in ({}, {"num_layers": 2, "output_size": 3}):
        case = small(mode, network=network, loss=loss_of, **further)
        assert check(Reference.of(case), registry.load(name)) < 1e-5


def alone(case: Case, problem: Problem, own: list[int]) -> tuple[Tensor, dict[str, Tensor]]:
    """Outputs (T, B, ...), zeros beyond the ends, and gradients by plain autograd: torch's module, sequence by
    sequence, as if there were no batch."""
    weights = {name: value.double().requires_grad_() for name, value in problem.weights.items()}
    module = network_shape(case).library().double()
    recurrent = {name: value for name, value in weights.items() if not name.endswith("_ho")}
    total, padded = torch.zeros((), dtype=torch.float64), []
    for b, steps in enumerate(own):
        hidden: State = torch.stack([problem.hidden[layer, b : b + 1] for layer in range(case.num_layers)]).double()
        given = problem.inputs[:steps, b : b + 1].double()
        outputs = head(case, weights, torch.func.functional_call(module, recurrent, (given, hidden))[0])
        first = steps - 1 if case.loss == "last" else 0
        target = problem.target[first:steps, b]
        if case.output_size:
            total = total + nn.functional.nll_loss(outputs[first:, 0], target, reduction="sum")
        else:
            total = total + (outputs[first:, 0] - target.double()).square().sum()
        padded.append(nn.functional.pad(outputs, (0, 0, 0, 0, 0, case.seq_len - steps)))
    (total / len(own)).backward()
    found = {name: value.grad for name, value in weights.items() if value.grad is not None}
    return torch.cat(padded, 1).detach(), found


@pytest.mark.parametrize("loss_of", ["all", "last"])
@pytest.mark.parametrize("output_size", [0, 3])
@pytest.mark.parametrize("name", ["packed", "bucketed", "bucketed-manual"])
def test_lengths_may_come_in_any_order(name: str, output_size: int, loss_of: str) -> None:
    """Two layers, the longest somewhere in between; held against each sequence by itself."""
    case = small("training", num_layers=2, output_size=output_size, loss=loss_of, dtype="float64")
    own = [3, 7, 1, 7, 5, 2]
    problem = dataclasses.replace(Problem.of(case), lengths=torch.tensor(own))
    wanted, gradients = alone(case, problem, own)
    module = registry.load(name)(network_shape(case)).double()
    module.load(problem.weights)
    outputs, _ = module(problem.inputs, problem.hidden, problem.lengths)
    torch.testing.assert_close(outputs, wanted)
    mask = torch.arange(7)[:, None] < torch.tensor(own)  # (T, B)
    target = problem.target * (mask if output_size else mask.unsqueeze(-1))
    loss(outputs * mask.unsqueeze(-1), target, loss_of, problem.lengths).backward()
    assert set(gradients) == set(module.gradients())
    for weight, gradient in module.gradients().items():
        torch.testing.assert_close(gradient, gradients[weight])


def test_the_reference_is_each_sequence_by_itself() -> None:
    """The network's step over the padding, masked, gives what no padding gives."""
    for case in (small("training", dtype="float64"), small("training", loss="last", num_layers=2, dtype="float64")):
        reference = Reference.of(case)
        wanted, gradients = alone(case, reference.problem, lengths.of(case))
        torch.testing.assert_close(reference.outputs, wanted)
        for name, gradient in gradients.items():
            torch.testing.assert_close(reference.gradients[name], gradient)


class Beyond(Packed):
    """right at every step that counts, and one beyond each end"""

    def forward(self, inputs: Tensor, hidden: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """As packed."""
        assert lengths is not None
        outputs, hidden = super().forward(inputs, hidden, lengths)
        beyond = torch.arange(len(inputs))[:, None] >= lengths
        return outputs.masked_fill(beyond.unsqueeze(-1), 1.0), hidden


class Deaf(Whole):
    """takes the lengths, and runs over the padding all the same"""

    takes_lengths = True
    bidirectional = False

    def forward(self, inputs: Tensor, hidden: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """As whole."""
        return super().forward(inputs, hidden)


class Short(Bucketed):
    """takes every sequence for a step shorter"""

    def forward(self, inputs: Tensor, hidden: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """As bucketed."""
        assert lengths is not None
        return super().forward(inputs, hidden, (lengths - 1).clamp(min=1))


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("wrong", [Beyond, Deaf])
def test_what_is_wrong_beyond_an_end_is_caught(wrong: type[Implementation], mode: str) -> None:
    """The message says where, and that zeros belong there."""
    case = small(mode)
    told = r"outputs must be zeros beyond the end of a sequence: sequence 5 has 1 steps, and -?[\d.]+ at step 1"
    with pytest.raises(ParityError, match=told):
        check(Reference.of(case), wrong)


def test_who_takes_lengths_for_shorter_is_caught() -> None:
    """At the last step of a sequence."""
    with pytest.raises(ParityError, match="outputs differs first at step"):
        check(Reference.of(small()), Short)


class Bare(nn.Module):
    """a bare module, which knows of no lengths"""

    def __init__(self, input_size: int, hidden_size: int, num_layers: int) -> None:
        super().__init__()
        self.rnn = nn.GRU(input_size, hidden_size, num_layers)

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """As nn.GRU."""
        found: tuple[Tensor, Tensor] = self.rnn(inputs, hidden)
        return found


class Taking(Bare):
    """a bare module that takes them"""

    takes_lengths = True

    def forward(self, inputs: Tensor, hidden: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override] # as users may write it
        """Packed, without noticing a head."""
        packed = nn.utils.rnn.pack_padded_sequence(inputs, lengths)
        outputs, hidden = self.rnn(packed, hidden)
        return nn.utils.rnn.pad_packed_sequence(outputs, total_length=len(inputs))[0], hidden


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("module", [Bare, Taking])
def test_somebodys_module_is_measured(module: type[nn.Module], mode: str) -> None:
    """One that says nothing runs over the padding; one that says that it takes lengths is given them, under a head of
    the suite's, too."""
    for further in ({}, {"num_layers": 2, "output_size": 3}):
        assert check(Reference.of(small(mode, **further)), adapted(module)) < 1e-5
    workload = Workload(small(), adapted(module), Problem.of(small()))
    outputs, _ = workload.forward(workload.problem.inputs, workload.problem.hidden)
    mask = workload.problem.mask
    assert mask is not None and not (outputs * (1 - mask)).any()


class Mine(Packed):
    """a class of one's own that takes lengths"""


def surveyed(case: Case, name: str) -> tuple[str, str, int | None]:
    """Status, reason and useful steps of a cell."""
    record = Surveyor(max_call=5.0, ledger=Ledger(), memory=False).survey(case, name)
    return record.status, record.reason, record.useful_steps


def test_ones_own_class_is_surveyed_with_its_useful_steps() -> None:
    """Of all sequences together; a case of one length has none."""
    case = small()
    assert surveyed(case, f"{__file__}:Mine") == (MEASURED, "", sum(lengths.of(case)))
    assert surveyed(small(lengths="fixed"), "whole") == (MEASURED, "", None)


@pytest.mark.parametrize("name", TAKING)
def test_it_is_unavailable_at_one_length(name: str) -> None:
    """A row that says which option it is for."""
    told = "made for batches of several lengths (--lengths uniform:0.2)"
    assert surveyed(small(lengths="fixed"), name)[:2] == (UNAVAILABLE, told)


@pytest.mark.parametrize(
    ("further", "told"),
    [
        (["--bidirectional"], "error: lengths are for one direction: backward, padding comes first"),
        (["--mode", "streaming"], "error: lengths are for whole sequences, not for streaming"),
    ],
)
def test_what_lengths_do_not_go_with_is_told(further: list[str], told: str, tmp_path: Path) -> None:
    """In one line, before anything is written."""
    asked = ["--preset", "smoke", "--lengths", "uniform:0.5", *further, "--reports", str(tmp_path / "reports")]
    found = CliRunner().invoke(cli.app, ["run", *asked])
    assert (found.exit_code, " ".join(found.output.split())) == (2, told)
    assert not (tmp_path / "reports").exists()


def test_padding_is_no_work() -> None:
    """Counted by hand: hidden 2, input 3, sequences of 4 and 2 steps, so 6 useful steps in place of 8.

    Forward, a step of one sequence is 2 * 2 * 3 = 12 operations on inputs, 2 * 2 * 2 = 8 on the state. Backward has as
    many for the weights, and the state's again at each step but the first: 2 T - 1 = 7 links of the 1.5 sequences that
    a step has in the mean. Bytes: inputs and outputs of 6 steps and W_ih, 4 each.
    """
    case = Case(input_size=3, hidden_size=2, batch_size=2, seq_len=4, lengths="uniform:0.5")
    found = work(case, useful_steps=6)
    assert (found.free, found.chained, found.links) == (6 * 12, 6 * 8, 4)
    training = work(dataclasses.replace(case, mode="training"), useful_steps=6)
    assert (training.free, training.chained) == (6 * 12 + 6 * (12 + 8), 7 * 1.5 * 8)
    padded = work(case)
    assert (padded.free, padded.chained) == (8 * 12, 8 * 8)


def test_a_run_records_them_and_check_says_how_to_go_on(tmp_path: Path) -> None:
    """From the option to the file and the words; what takes lengths is best run beside others that do."""
    from bench.table.cells import cells
    from bench.table.reading import read_run

    asked = ["--lengths", "uniform:0.3", "--batch-size", "5", "--seq-len", "9", "--reports", str(tmp_path)]
    found = CliRunner().invoke(cli.app, ["run", *OPTIONS, "--no-explain", *asked])
    assert found.exit_code == 0, found.output
    assert "lengths uniform:0.3" in found.output
    (folder,) = (tmp_path / "runs").iterdir()
    table = cells(read_run(folder))
    own = lengths.of(Case(batch_size=5, seq_len=9, lengths="uniform:0.3"))
    assert table["useful_steps"].tolist() == [sum(own)] * 2
    checked = CliRunner().invoke(cli.app, ["check", "packed", "--lengths", "uniform:0.3", "--batch-size", "5"])
    assert "rnn-bench run --preset ragged --impl ragged,packed" in checked.output


def test_the_names_of_the_group() -> None:
    """Padded and bucketed by hand and by the library, packed sorted and not."""
    assert registry.select("ragged", "cpu") == ["manual", "whole", *TAKING]
    assert networks.DEFAULT == "rnn-tanh"
    assert issubclass(registry.load("bucketed-manual"), Manual)


@pytest.mark.parametrize("command", [["check", "packed"], ["profile"], ["gate", "--base", "HEAD"]])
def test_every_command_refuses_a_file_that_is_not_there(command: list[str]) -> None:
    """In one line, before anything is started."""
    found = CliRunner().invoke(cli.app, [*command, "--lengths", "no.txt"])
    told = "error: --lengths no.txt can't be read: No such file or directory"
    assert found.exit_code == 2 and " ".join(found.output.split()).replace(f"{Path.cwd()}/", "") == told


def test_pytest_refuses_it_as_well() -> None:
    """As a usage error, not an internal one."""
    asked = [
        sys.executable,
        "-m",
        "pytest",
        "bench",
        "--preset",
        "smoke",
        "--lengths",
        "no.txt",
        "-p",
        "no:cacheprovider",
    ]
    found = subprocess.run(asked, capture_output=True, text=True, check=False, cwd=Path(__file__).parent.parent)
    assert found.returncode == 4
    assert "ERROR: --lengths no.txt can't be read: No such file or directory" in found.stdout + found.stderr


def test_a_file_is_the_same_for_both_sides_of_a_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever folder a side is started in; what is no file stays as it is."""
    monkeypatch.chdir(tmp_path)
    assert lengths.placed("l.txt") == str(tmp_path / "l.txt")
    assert lengths.placed("uniform:0.5") == "uniform:0.5"
