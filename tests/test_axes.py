"""The axes: one definition, read by every command and by pytest; groups of options as typer sees them."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

import conftest
from bench import cli
from bench.cases.axes import AXES, OVERRIDES, Axes
from bench.cases.case import FIELDS, Case
from bench.commands.options import Overrides, grouped, one_each, overriding

COMMANDS = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined] # a group has them
OVERRIDING = ("run", "profile", "gate", "check")


def axis_options(command: Any) -> dict[str, dict[str, Any]]:
    """Axis -> what its option takes and says, of one command; the axes are those in the panel of that name."""
    options = [param for param in command.params if getattr(param, "rich_help_panel", None) == "Axes"]
    return {option.name: {"options": tuple(option.opts), "help": option.help} for option in options}


def one_command(command: Any) -> typer.Typer:
    """A program of this command alone."""
    app = typer.Typer()
    app.command()(command)
    return app


def test_every_field_of_a_case_is_an_axis() -> None:
    """In their order; all but the device, which is chosen beside a preset, override one."""
    assert tuple(AXES) == FIELDS == ("device", *OVERRIDES)


@pytest.mark.parametrize("name", OVERRIDING)
def test_the_commands_that_override_have_the_same_axes(name: str) -> None:
    """The same options with the same words in the same order, all from `AXES`."""
    found = axis_options(COMMANDS[name])
    assert found == axis_options(COMMANDS["run"])
    assert list(found) == list(axis_options(COMMANDS["run"]))
    assert {axis: option["options"] for axis, option in found.items()} == {
        axis: AXES[axis].options for axis in OVERRIDES
    }


def test_advise_has_them_too_and_the_device() -> None:
    """With one value each, by default that of `Case`."""
    found = axis_options(COMMANDS["advise"])
    assert {name: option["options"] for name, option in found.items()} == {
        name: axis.options for name, axis in AXES.items()
    }
    defaults = {param.name: param.default for param in COMMANDS["advise"].params}
    assert [axis for axis in AXES if not defaults[axis]] == [
        "hidden_size",
        "bidirectional",
        "seq_len",
        "flush_denormal",
        "tf32",
    ]
    typed = {axis: "" if AXES[axis].flag else defaults[axis] or "128" for axis in AXES}
    assert Axes(typed).case() == Case(seq_len=128)


def pytest_options() -> dict[str, tuple[str, ...]]:
    """Axis -> what is typed for it at pytest."""
    parser = pytest.Parser(_ispytest=True)
    conftest.pytest_addoption(parser)
    options = parser.getgroup("rnn bench").options
    return {option.dest: tuple(option.names()) for option in options if option.dest in AXES}


def test_pytest_has_the_same() -> None:
    """Its option for devices is the one beside the preset."""
    assert pytest_options() == {axis.name: axis.options for axis in AXES.values()}


@pytest.mark.parametrize("typed", ["--network", "--nonlinearity"])
def test_an_alias_fills_its_axis(typed: str) -> None:
    """One entry gives every command and pytest a second spelling, which help shows, of the same axis."""
    taken: list[Axes] = []

    @grouped
    def override(*, axes: Annotated[Axes, overriding()]) -> None:
        taken.append(axes)

    @grouped
    def ask(*, axes: Annotated[Axes, one_each()]) -> None:
        taken.append(axes)

    assert CliRunner().invoke(one_command(override), [typed, "relu"]).exit_code == 0
    asked = CliRunner().invoke(one_command(ask), [typed, "relu", "--hidden-size", "8", "--seq-len", "2"])
    assert asked.exit_code == 0, asked.output
    assert taken[0].overrides() == {"network": ("rnn-relu",)}
    assert taken[1].case() == Case(network="rnn-relu", input_size=8, hidden_size=8, seq_len=2)
    assert typed in CliRunner().invoke(one_command(override), ["--help"], env={"COLUMNS": "120"}).output
    assert pytest_options()["network"] == ("--network", "--nonlinearity")


@dataclass(frozen=True)
class Paint:
    """A group of options."""

    colour: Annotated[str, typer.Option(help="Which.")] = "blue"
    coats: Annotated[int, typer.Option(min=1)] = 2


def test_a_group_stands_in_its_place() -> None:
    """Typer sees its options between the others, and checks them; the command gets the object."""
    taken: list[tuple[Any, ...]] = []

    @grouped
    def decorate(
        *,
        wall: Annotated[str, typer.Argument()],
        paint: Paint,
        axes: Overrides,
        quick: Annotated[bool, typer.Option("--quick")] = False,
    ) -> None:
        """Paint a wall."""
        taken.append((wall, paint, bool(axes), quick))

    assert [*inspect.signature(decorate).parameters][:3] == ["wall", "colour", "coats"]
    assert [*inspect.signature(decorate).parameters][-1] == "quick"
    assert decorate.__doc__ == "Paint a wall."
    app = one_command(decorate)
    assert CliRunner().invoke(app, ["north", "--coats", "3"]).exit_code == 0
    assert CliRunner().invoke(app, ["south", "--quick", "--seq-len", "8"]).exit_code == 0
    assert CliRunner().invoke(app, ["west", "--coats", "0"]).exit_code == 2
    assert taken == [("north", Paint("blue", 3), False, False), ("south", Paint(), True, True)]


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_has_many_parameters(name: str) -> None:
    """What belongs together comes as one."""
    written = inspect.unwrap(COMMANDS[name].callback)
    assert len(inspect.signature(written).parameters) <= 10
