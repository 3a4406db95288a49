"""What is asked of a sweep and of a cluster, as options of a command."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from bench.cases.settings import parse_seconds
from bench.sweep.planning import LOCAL

ATTEMPTS = 3


@dataclass(frozen=True)
class Parts:
    """The jobs of a sweep."""

    executor: Annotated[str, typer.Option(help="local: here, one shard after the other; or slurm.")] = LOCAL
    shards: Annotated[int, typer.Option(min=1, help="Parts, of about the same cost; a Case is never divided.")] = 10
    attempts: Annotated[int | None, typer.Option(min=1, help=f"Times that a shard may begin; default {ATTEMPTS}.")] = (
        None
    )


@dataclass(frozen=True)
class Begun:
    """A sweep that was begun before, and what is to be done with it; one of them at most."""

    attach: Annotated[str, typer.Option(help="Come back to this sweep, or to `latest`.")] = ""
    status: Annotated[str, typer.Option(help="Show this sweep once, or `latest`.")] = ""
    cancel: Annotated[str, typer.Option(help="Cancel what is left of this sweep; what is measured stays.")] = ""


@dataclass(frozen=True)
class Cluster:
    """What Slurm is asked for, for each shard."""

    partition: Annotated[str, typer.Option(help="Slurm's partition.", rich_help_panel="Slurm")] = ""
    gpus_per_node: Annotated[int, typer.Option(min=0, help="GPUs of a shard.", rich_help_panel="Slurm")] = 0
    cpus_per_task: Annotated[int, typer.Option(min=0, help="Cores of a shard.", rich_help_panel="Slurm")] = 0
    mem: Annotated[str, typer.Option(help="Memory of a shard, such as 16G; 0 is all.", rich_help_panel="Slurm")] = ""
    exclusive: Annotated[
        bool, typer.Option("--exclusive", help="A node for each shard alone: fair.", rich_help_panel="Slurm")
    ] = False
    constraint: Annotated[str, typer.Option(help="Features of the nodes.", rich_help_panel="Slurm")] = ""
    account: Annotated[str, typer.Option(help="Slurm's account.", rich_help_panel="Slurm")] = ""
    qos: Annotated[str, typer.Option(help="Slurm's quality of service.", rich_help_panel="Slurm")] = ""
    time: Annotated[
        str, typer.Option(help="Most time of a shard's job; one that needs more goes on.", rich_help_panel="Slurm")
    ] = "2h"
    array_parallelism: Annotated[
        int, typer.Option(min=1, help="Most shards at work at once.", rich_help_panel="Slurm")
    ] = 256
    sbatch: Annotated[
        list[str] | None, typer.Option(help="Any other option of sbatch, NAME=VALUE.", rich_help_panel="Slurm")
    ] = None

    def options(self) -> dict[str, Any]:
        """What is wanted, by sbatch's names with underscores; time in seconds. Raises ValueError."""
        found = {name: value for name, value in dataclasses.asdict(self).items() if value and name != "sbatch"}
        for text in self.sbatch or []:
            name, given, value = text.lstrip("-").partition("=")
            found[name.replace("-", "_")] = value if given else True
        return found | {"time": parse_seconds(self.time)}
