"""The RNN bench as a test of ReFrame 4; docs/reframe.md says how to run it."""

import json
import math
from pathlib import Path
from typing import Any

import reframe as rfm
import reframe.utility.sanity as sn
from reframe.core.builtins import parameter, performance_function, run_before, sanity_function, variable


@rfm.simple_test
class RnnBench(rfm.RunOnlyRegressionTest):
    """Sanity is parity; performance is the speed-up over `manual`, measured in alternation, mean over the cases."""

    implementation = parameter(["whole"])
    options = variable(str, value="--preset smoke --mode inference")
    valid_systems, valid_prog_environs = ["*"], ["*"]
    executable, time_limit = "python", "30m"
    reference = {"*": {"speedup": (1.6, -0.5, None, "x")}}  # those of your nodes, and a bound as narrow as they keep

    @run_before("run")
    def choose(self) -> None:
        """Measure two implementations; what is written lies in ReFrame's own folder."""
        chosen = f"{self.options} --impl manual,{self.implementation} --no-explain --reports reports"
        self.executable_opts = ["-m", "bench", "run", *chosen.split()]

    def cells(self) -> list[dict[str, Any]]:
        """What was measured: a row for each case and implementation."""
        return json.loads(Path(self.stagedir, "reports", "latest", "cells.json").read_text())["cells"]

    @sanity_function
    def all_compute_the_same(self) -> object:
        """What differs from the reference in any output, state or gradient was not measured, and says why."""
        wrong = [f"{each['case']}: {each['reason']}" for each in self.cells() if each["status"] != "measured"]
        return sn.assert_eq(wrong, [], f"{self.implementation} is not measured: {'; '.join(wrong)}")

    @performance_function("x")
    def speedup(self) -> float:
        """Geometric mean over the cases."""
        ratios = [each["speedup"] for each in self.cells() if each["implementation"] == self.implementation]
        return math.exp(sum(map(math.log, ratios)) / len(ratios))
