"""A Case: its id, its order, and what it refuses."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from bench.cases.case import CHOICES, DTYPES, FIELDS, IMPOSSIBLE, SIZES, Case
from rnn_impls import networks

NEEDS_HYPOTHESIS = "hypothesis is not installed; pip install .[test]"


LENGTHS = ("fixed", "uniform:0.2", "uniform:0.35", "zipf:1.2")


def any_case() -> Any:
    """Give the strategy of cases whose ids sort: up to 99 layers and threads, 9999 of everything else. What can't be
    together gives way."""
    from hypothesis import strategies as st

    known = {**CHOICES, "network": (*networks.BUILTIN, "cells/my-own cell.py:Leaky"), "lengths": LENGTHS}
    choices = {name: st.sampled_from(each) for name, each in known.items()}
    most = {"num_layers": 99, "threads": 99}
    sizes = {name: st.integers(0 if name == "output_size" else 1, most.get(name, 9999)) for name in SIZES}
    return st.builds(possible, **choices, **sizes)


def possible(**fields: Any) -> Case:
    """Give the case of these fields, or of what is possible beside the first of two that exclude each other."""
    for (one, value), (other, needed), _ in IMPOSSIBLE:
        if fields[one] == value:
            fields[other] = needed
    return Case(**fields)


def test_id_is_readable() -> None:
    """The id spells out every field, sizes padded with zeros."""
    case = Case("cuda", "bfloat16", "training", "relu", 768, 128, 2, False, 64, 1024, 2, 8)
    assert case.id == "cuda-bfloat16-training-relu-I0768-H0128-L02-B0064-T1024-O0002-t08"


def test_short_leaves_out_what_is_usual() -> None:
    """Mode, hidden size and length alone where nothing else is said; an input that is not as wide, and all else, is."""
    assert Case().short == "inference-H0128-T0064"
    assert Case(hidden_size=64, input_size=64, mode="training").short == "training-H0064-T0064"
    assert Case(hidden_size=64).short == "inference-I0128-H0064-T0064"
    case = Case("cuda", "bfloat16", "training", "relu", 768, 128, 2, False, 64, 1024, 2, 8)
    assert case.short == case.id
    assert Case(network="relu", batch_size=16, threads=2).short == "inference-relu-H0128-B0016-T0064-t02"


def test_id_parses_back() -> None:
    """`parse` is the inverse of `id` and of `short`, and the fields survive a dictionary."""
    pytest.importorskip("hypothesis", reason=NEEDS_HYPOTHESIS)
    from hypothesis import given, settings

    @settings(derandomize=True, deadline=None, database=None)
    @given(any_case())
    def holds(case: Case) -> None:
        assert Case.parse(case.id) == case
        assert Case.parse(case.short) == case
        assert Case.from_dict(case.as_dict()) == case

    holds()


def test_ids_sort_as_cases_do() -> None:
    """Two cases stand in the same order by id as by their fields, whichever field tells them apart."""
    pytest.importorskip("hypothesis", reason=NEEDS_HYPOTHESIS)
    from hypothesis import given, settings
    from hypothesis import strategies as st

    @settings(derandomize=True, deadline=None, database=None, max_examples=200)
    @given(any_case(), any_case(), st.sets(st.sampled_from(FIELDS)))
    def holds(first: Case, other: Case, alike: set[str]) -> None:
        second = possible(**other.as_dict() | {name: getattr(first, name) for name in alike})
        assert (first < second) == (first.id < second.id)

    holds()


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_alone_orders_ids(name: str) -> None:
    """Every value of a choice, and sizes of one to four digits, sort as text within their field."""
    values: tuple[Any, ...] = {**CHOICES, "network": tuple(networks.BUILTIN), "lengths": LENGTHS}.get(
        name, (1, 2, 9, 10, 99) if name in {"num_layers", "threads"} else (1, 9, 10, 99, 1000, 9999)
    )
    cases = [dataclasses.replace(Case(mode="training"), **{name: value}) for value in values]
    assert [case.id for case in sorted(cases)] == sorted(case.id for case in cases)


@pytest.mark.parametrize("seq_len", [10_000, 65_536])
def test_sizes_beyond_the_padding_still_parse(seq_len: int) -> None:
    """Long sequences have a longer id, which names them and no other."""
    case = Case(seq_len=seq_len)
    assert f"-T{seq_len}-" in case.id
    assert Case.parse(case.id) == case


@pytest.mark.parametrize(
    "text",
    [
        "",
        "manual",
        Case().id + "-more",
        Case().id.replace("-t01", ""),
        Case().id.replace("cpu", "tpu"),
        Case().id.replace("-L01", "-L00"),
        Case().id.replace("I0128", "I128"),
        Case().id.replace("I0128", "I٠١٢٨"),
        Case().id + "\n",
        f"cpu-{Case().short}",
        Case().short.replace("H0128", "H128"),
    ],
)
def test_parse_refuses_any_other_text(text: str) -> None:
    """Only what `id` gives is an id: no part, no other padding, no impossible value."""
    with pytest.raises(ValueError, match=r"is not the id of a case|unknown device|num_layers must be"):
        Case.parse(text)


@pytest.mark.parametrize("name", CHOICES)
def test_unknown_choice_names_the_field_and_lists_the_known(name: str) -> None:
    """A device, dtype or mode that does not exist is answered with those that do."""
    with pytest.raises(ValueError, match=f"unknown {name} 'abacus'; known are {', '.join(map(str, CHOICES[name]))}"):
        Case.from_dict(Case().as_dict() | {name: "abacus"})


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("value", [-1, 0, 1.0, "1", None, True])
def test_impossible_size_names_the_field(name: str, value: Any) -> None:
    """Sizes are whole numbers of at least 1; only `output_size` may be 0."""
    if name == "output_size" and value == 0:
        assert Case(output_size=0).output_size == 0
        return
    with pytest.raises(ValueError, match=f"{name} must be a whole number of at least [01], not {value!r}"):
        Case.from_dict(Case().as_dict() | {name: value})


def test_from_dict_names_missing_and_extra_fields() -> None:
    """Both kinds of wrong field are named, sorted, after the list of right ones."""
    fields = Case().as_dict()
    del fields["mode"]
    with pytest.raises(ValueError, match=r"exactly the fields device, .*; wrong: depth, mode$"):
        Case.from_dict(fields | {"depth": 3})
    with pytest.raises(ValueError, match=r"wrong: mode$"):
        Case.from_dict(fields)


def test_fields_are_choices_and_sizes() -> None:
    """Every field is checked in one of the two ways."""
    assert set(FIELDS) == {*CHOICES, "network", "lengths", *SIZES}
    assert DTYPES == ("float32", "float64", "bfloat16", "float16")
    assert list(Case().as_dict()) == list(FIELDS)


def test_networks_go_by_the_names_they_always_had_in_ids() -> None:
    """An id of before `network` is the same case's of today; a name of one's own stands in it as it is."""
    old = "cpu-float32-inference-relu-I0128-H0128-L01-B0001-T0064-O0000-t01"
    assert Case.parse(old) == Case(network="rnn-relu") == Case(network="relu")
    assert Case(network="rnn-relu").id == old
    own = Case(network="cells/my-own cell.py:Leaky", hidden_size=8)
    assert "-cells/my-own cell.py:Leaky-I0128-H0008-" in own.id
    assert Case.parse(own.id) == own


def test_fields_of_before_are_read() -> None:
    """Files of earlier versions have `nonlinearity`; both at once are refused."""
    fields = {name: value for name, value in Case().as_dict().items() if name != "network"}
    assert Case.from_dict(fields | {"nonlinearity": "relu"}) == Case(network="rnn-relu")
    with pytest.raises(ValueError, match=r"wrong: network"):
        Case.from_dict(fields)


@pytest.mark.parametrize("name", ["lstms", "my_cell.py", "my_cell.py:1x", ""])
def test_an_unknown_network_is_answered_with_the_known(name: str) -> None:
    """And with how one's own is named."""
    known = r"known are rnn-tanh, rnn-relu, gru, lstm, and path/to/file.py:Name"
    with pytest.raises(ValueError, match=rf"unknown network .*; {known}"):
        Case(network=name)
