"""A real Slurm on one machine: munged, slurmctld and two slurmd, every file of theirs in one folder.

    python -m tests.slurm.cluster start DIR    until `stop DIR`; prints the line to export
    python -m tests.slurm.cluster stop DIR     ends whatever belongs to it, jobs too
    python -m tests.slurm.cluster keep DIR     until its standard input ends

It needs Debian's slurm-wlm and munge, and no root. What it gives, as seen with Slurm 22.05:

start          both nodes idle within 2 s
jobs           one a node at a time, since each has one CPU; an array of two runs on both; `--gpus-per-node 1` works,
               the GPU is `/dev/null`; `--mem` is taken and not enforced
never runs     `-p closed` (PartitionDown) and `-c 2` (PartitionConfig) are taken and stay PENDING
refused        an unknown partition, feature or node, two GPUs a node: sbatch exits 1 and says which
scancel        SIGTERM, after KillWait SIGKILL; the job is listed as CANCELLED for 5 minutes
requeue        PENDING (BeginTime) for 6 s, then again with SLURM_RESTART_COUNT=1
`fail_node`    DOWN after about 12 s, its jobs go to the other node 6 s later; once started again it is idle
`stop_node`    DOWN after about 12 to 25 s, jobs requeued alike, but what ran on it **goes on**, beside its successor,
               until the node is back
sacct          exits 1, "Slurm accounting storage is disabled": only squeue and scontrol know of jobs, as on many a
               small cluster
both nodes     have the same host name, clock and files; each has a core of its own but within `one_core`
"""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.slurm import owned

NODES = ("node1", "node2")
DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch")

_LONGEST_FOLDER = 80
"""Characters; a socket's path may have 107, and Slurm's own end in spool/node1/node1_123.batch."""
_CONF = Path(__file__).with_name("slurm.conf")


def missing() -> str:
    """Why no Slurm can be started here, or nothing."""
    lacking = [name for name in DAEMONS if _program(name) is None]
    if sys.platform != "linux":
        return "Slurm runs on Linux alone"
    return f"no {', '.join(lacking)} here: apt-get install slurm-wlm munge" if lacking else ""


def _program(name: str) -> str | None:
    """Its path; Debian keeps daemons where a user's PATH doesn't look."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin")


class Unavailable(Exception):
    """No Slurm came up; the message says why."""


class Cluster:
    """A Slurm whose every file is in `folder`: two nodes, each of which runs `cpus` single-threaded jobs at a time.

    Its name in `os.environ["SLURM_CONF"]` is all that sbatch, squeue and submitit need; nothing here sets that.
    """

    def __init__(self, folder: Path, cpus: int = 1) -> None:
        self.folder = folder.resolve()
        self.conf = self.folder / "slurm.conf"
        self.cpus = cpus

    @property
    def environment(self) -> dict[str, str]:
        """What a process that talks to this Slurm is given. No job inherits the variables of one outside."""
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SBATCH"))}
        return {**outside, "SLURM_CONF": str(self.conf)}

    def start(self, seconds: float = 30.0) -> None:
        """Start all four daemons and wait until both nodes take jobs.

        Raises:
            Unavailable: if Slurm isn't installed, or doesn't come up within these seconds; nothing is left running.
        """
        if why := missing():
            raise Unavailable(why)
        if len(str(self.folder)) > _LONGEST_FOLDER:
            raise Unavailable(f"{self.folder} is too long a name for the sockets in it")
        self.stop()
        self._write()
        try:
            self._start_munged(time.monotonic() + seconds)
            self._daemon("slurmctld", "-D", "-c")
            for node in NODES:
                self.start_node(node)
            self._wait_for_nodes(time.monotonic() + seconds)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every daemon and every job of this cluster, whoever started them. The files stay."""
        for _ in range(10):  # what is ended last may have started something
            if not (left := self.processes()):
                return
            owned.kill(left)
        raise RuntimeError(f"still running: {', '.join(str(each) for each in self.processes())}")

    def processes(self, node: str = "") -> list[psutil.Process]:
        """What runs of this cluster, or of one node, in the order in which it is best ended."""
        return owned.processes(self.conf, node)

    def start_node(self, node: str) -> None:
        """Start the slurmd of `node1` or `node2`; its node takes jobs again some seconds later. Each has a core of its
        own, where there are two."""
        cores = sorted(os.sched_getaffinity(0))
        core = cores[NODES.index(node) % len(cores)]
        self._daemon("taskset", "--cpu-list", str(core), _program("slurmd") or "slurmd", "-D", "-N", node, log=node)

    @contextlib.contextmanager
    def one_core(self) -> Iterator[None]:
        """Meanwhile the jobs of both nodes run on one core, as where a cluster doesn't bind jobs to theirs."""
        own = {each: each.cpu_affinity() for each in self.processes() if each.name() == "slurmd"}
        for each in own:
            each.cpu_affinity(sorted(os.sched_getaffinity(0))[:1])
        try:
            yield
        finally:
            for each, cores in own.items():
                each.cpu_affinity(cores)

    def stop_node(self, node: str) -> None:
        """Stop a node's slurmd and nothing else, as when the network fails: its jobs go on, and Slurm doesn't know."""
        owned.kill([each for each in self.processes(node) if each.name() == "slurmd"])

    def fail_node(self, node: str) -> None:
        """End a node's slurmd and all that runs there, as when its power fails."""
        owned.kill(self.processes(node))

    def call(self, *command: str) -> str:
        """What a command such as `squeue` prints.

        Raises:
            subprocess.CalledProcessError: if it fails; its note says why.
        """
        done = subprocess.run(
            command,
            check=False,  # by us, with what it said
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
        )
        try:
            done.check_returncode()
        except subprocess.CalledProcessError as error:
            error.add_note(done.stderr.strip())
            raise
        return done.stdout.strip()

    def states(self) -> dict[str, str]:
        """Node -> its state as sinfo has it: `idle`, `alloc`, `down*`."""
        lines = self.call("sinfo", "--noheader", "--Node", "--partition=both", "--format=%N %t").splitlines()
        return dict(line.split() for line in lines)

    def _write(self) -> None:
        shutil.rmtree(self.folder / "state", ignore_errors=True)  # jobs of an earlier one would be requeued
        for name in ("state", "spool/node1", "spool/node2", "munge"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "munge").chmod(0o755)
        key = self.folder / "munge" / "key"
        key.unlink(missing_ok=True)
        key.touch(0o600)
        key.write_bytes(secrets.token_bytes(128))
        (self.folder / "plugstack.conf").touch()
        (self.folder / "gres.conf").write_text("Name=gpu File=/dev/null\n")
        text = _CONF.read_text().format(
            folder=self.folder,
            host=socket.gethostname().split(".")[0],
            user=getpass.getuser(),
            ports=_free_ports(3),
            cpus=self.cpus,
        )
        self.conf.write_text(text)

    def _start_munged(self, end: float) -> None:
        here = self.folder / "munge"
        self._daemon(
            "munged",
            "--foreground",
            "--force",
            f"--socket={here}/socket",
            f"--key-file={here}/key",
            f"--pid-file={here}/pid",
            f"--log-file={here}/munged.log",
            f"--seed-file={here}/seed",
            "--num-threads=2",
        )
        while not (here / "socket").exists():
            self._pause(end, "munged", "munged.out", "munge/munged.log")

    def _wait_for_nodes(self, end: float) -> None:
        while True:
            with contextlib.suppress(subprocess.CalledProcessError):
                if set(self.states().values()) == {"idle"}:
                    return
            self._pause(end, "Slurm", "slurmctld.out", "node1.out", "node2.out")

    def _pause(self, end: float, name: str, *logs: str) -> None:
        if time.monotonic() > end:
            paths = [path for path in (self.folder / log for log in logs) if path.exists()]
            said = [line for path in paths for line in path.read_text(errors="replace").splitlines()[-1:]]
            raise Unavailable(f"{name} does not come up: {'; '.join(said) or 'it says nothing'}")
        time.sleep(0.1)

    def _daemon(self, name: str, *arguments: str, log: str = "") -> None:
        """In a session of its own, so that Ctrl-C reaches whoever waits for it alone, and no child of ours."""
        with (self.folder / f"{log or name}.out").open("ab") as out:
            subprocess.run(
                ["setsid", "--fork", _program(name) or name, *arguments],
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                check=True,
            )


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


@contextlib.contextmanager
def kept(folder: Path) -> Iterator[Cluster]:
    """A cluster that ends with this block, and also with this process, however that ends.

    A keeper of its own waits for the end of its standard input, which is a pipe from here.

    Raises:
        Unavailable: if Slurm isn't installed or doesn't come up.
    """
    command = [sys.executable, "-m", __name__, "keep", str(folder)]
    root = Path(__file__).parent.parent.parent
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root, start_new_session=True
    ) as keeper:
        assert keeper.stdin is not None and keeper.stdout is not None
        try:
            said = keeper.stdout.readline().strip()
            if not said.startswith("export"):
                raise Unavailable(said or "the keeper of Slurm died")
            yield Cluster(folder)
        finally:
            keeper.stdin.close()
            keeper.wait(timeout=60)


def main(arguments: list[str]) -> int:
    """Run `start DIR`, `stop DIR` or `keep DIR`."""
    if len(arguments) != 2 or arguments[0] not in {"start", "stop", "keep"}:
        print(__doc__, file=sys.stderr)
        return 2
    what, cluster = arguments[0], Cluster(Path(arguments[1]))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that a keeper leaves nothing behind
    try:
        if what != "stop":
            cluster.start()
            print(f"export SLURM_CONF={cluster.conf}", flush=True)
        if what == "keep":
            sys.stdin.read()
    except Unavailable as error:
        print(error, flush=True)
        return 2
    finally:
        if what != "start":
            cluster.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
