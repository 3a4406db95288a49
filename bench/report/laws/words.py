"""What the laws of a run are called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.report.names import axis_value, listed, on_device, ordered, phrase, short_names
from bench.scaling import SETTING, Fit, Laws, Unfitted


class Words:
    """What the laws of a run are called in its sentences."""

    def __init__(self, found: Laws) -> None:
        every: list[Fit | Unfitted] = [*found.fits, *found.unfitted]
        self.names = ordered(each.implementation for each in every)
        self.short = short_names(self.names)
        self.varying = [axis for axis in SETTING if len({each.setting[axis] for each in every}) > 1]

    def way(self, law: Fit | Unfitted) -> str:
        """The implementation of a law."""
        return phrase(law.implementation, self.short)

    def where(self, law: Fit | Unfitted, modes: Sequence[str] = (), device: bool = True) -> str:
        """Its setting: `on this CPU in training, float32`; the device where there are several, the rest that varies."""
        words = [on_device(law.setting["device"])] if device and "device" in self.varying else []
        words.append(f"in {listed(list(modes) or [law.setting['mode']])}")
        rest = [axis for axis in self.varying if axis not in ("mode", "device")]
        return ", ".join([" ".join(words), *(axis_value(axis, law.setting[axis]) for axis in rest)])

    def whole(self, law: Fit | Unfitted) -> str:
        """Implementation and setting."""
        return f"{self.way(law)} {self.where(law)}"

    def sort(self, fits: Iterable[Fit]) -> list[Fit]:
        """By setting, and in each the known implementations first."""
        return sorted(fits, key=lambda fit: (*fit.setting.values(), self.names.index(fit.implementation)))
