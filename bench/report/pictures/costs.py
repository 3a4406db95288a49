"""The picture of the laws: what a call, a step and a multiply-add cost, a dot with its interval for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes

from bench.cases.case import MODES
from bench.report.crossings import Words
from bench.report.pictures.drawing import rows_of_times
from bench.report.pictures.palette import Look
from bench.report.pictures.render import Panel
from bench.report.pictures.scene import Group, Picture, Scene, picture_of
from bench.report.units import duration
from bench.table.law import PARTS, Fit, Laws
from bench.table.stats import Estimate

_TITLES = {"fixed": "fixed", "per_step": "per step", "per_product": "per product"}
_ACROSS = {"fixed": "once a call", "per_step": "every step", "per_product": "every multiply-add"}
_DECADES = 3
"""How far below the largest cost an axis goes; what lies below, and nothing at all, is drawn at its edge."""


@dataclass(frozen=True)
class Dot:
    """One cost: whose, in which look, with its interval, and whether the law is trusted."""

    name: str
    look: Look
    cost: Estimate
    trusted: bool


def picture(scene: Scene, found: Laws) -> Picture | None:
    """A panel for each mode and number, over the same range in all modes of a setting."""
    words = Words(found)
    settings = words.settings(found.fits)
    groups = [
        Group(title, list(_panels(scene, fits)), len(PARTS), len(settings) > 3 and k > 0)
        for k, (title, fits) in enumerate(settings.items())
    ]
    return picture_of("laws", "What a call, a step and a multiply-add cost", groups)


def _panels(scene: Scene, fits: Sequence[Fit]) -> Iterator[Panel]:
    left = min(2.2, 0.4 + 0.085 * max(len(scene.label(fit.implementation)) for fit in fits))
    for mode in MODES:
        own = [fit for fit in fits if fit.setting["mode"] == mode]
        for part in PARTS if own else ():
            dots = [
                Dot(scene.label(fit.implementation), scene.looks[fit.implementation], fit.parts[part], fit.trusted)
                for fit in own
            ]
            title = f"{mode.capitalize()}, {_TITLES[part]}"
            told = ", ".join(f"{dot.name} {duration(dot.cost.value)}" for dot in dots)
            draw = partial(
                draw_costs, dots=dots, limits=_limits([fit.parts[part] for fit in fits]), across=_ACROSS[part]
            )
            yield Panel(title, f"{title}: {told}.", draw, 1.1 + 0.36 * len(dots), left)


def _limits(costs: Sequence[Estimate]) -> tuple[float, float]:
    """Ends of an axis with some room."""
    most = max(max(cost.value, cost.high if cost.high < 10 * cost.value else 0.0) for cost in costs) or 1.0
    least = min((cost.value for cost in costs if cost.value > most / 10**_DECADES), default=most)
    return least / 1.6, most * 1.6


def draw_costs(ax: Axes, dots: Sequence[Dot], limits: tuple[float, float], across: str) -> None:
    """A dot below the other on a logarithmic axis; an open one is that of a law that is not trusted."""
    for k, dot in enumerate(dots):
        look, cost = dot.look, dot.cost
        if cost.low < cost.high:
            ends = [max(cost.low, limits[0]), max(cost.high, limits[0])]
            ax.plot(ends, [-k, -k], color=look.colour, linewidth=5, alpha=0.3, solid_capstyle="butt", zorder=2)
        style = look.mark if dot.trusted else look.mark | {"markerfacecolor": "none", "markeredgewidth": 1.4}
        ax.plot([max(cost.value, limits[0])], [-k], markersize=8 * look.scale, clip_on=False, zorder=3, **style)
    rows_of_times(ax, limits, [dot.name for dot in dots], across)
