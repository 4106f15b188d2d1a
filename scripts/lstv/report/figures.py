"""The cohort's distributions as files for papers and talks, drawn with seaborn; the report draws its own plots."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
from matplotlib.ticker import MaxNLocator

matplotlib.use("Agg")  # before seaborn imports pyplot: no screen is needed

import numpy as np
import pandas
import seaborn
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from lstv.base import atomic
from lstv.base.levels import LEVEL_LABELS, LEVELS
from lstv.report import summaries
from lstv.report.palette import JUNCTION

INK, MUTED, LINE, ACCENT, SOFT, PAGE = "#17232c", "#54636e", "#d8dfe3", "#0d6583", "#d5e8ef", "#ffffff"
"""The report's colours on white."""

WIDTH, HEIGHT = 5.0, 3.4
"""Inches: a column of a paper."""

EVERY_POINT = 150
"""Up to so many studies each is drawn as a point."""

DENSE = 600
"""Above so many a scatter plot becomes a map of counts."""

if TYPE_CHECKING:  # not in every matplotlib that can draw these
    from matplotlib.typing import RcKeyType

_STYLE: dict[RcKeyType, object] = {
    "svg.hashsalt": "lstv-uncertainty",
    "svg.fonttype": "none",
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.labelsize": 12,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
}

_DENSITY = LinearSegmentedColormap.from_list("density", [(0.18, 0.53, 0.65, 0.2), (0.18, 0.53, 0.65, 1.0)])
"""Counts as opacity of one hue."""


def write(analysed: pandas.DataFrame, thresholds: dict[str, float], folder: Path) -> list[Path]:
    """Write every figure that the analysed studies allow as SVG and PDF; the same table gives the same bytes."""
    written: list[Path] = []
    if not len(analysed):
        return written
    with matplotlib.rc_context(_STYLE):
        drawn = {
            "l5_s1_entropy": junction_entropy(analysed, thresholds),
            "entropy_by_level": per_level(analysed, "entropy", "Entropy (nats)"),
            "confidence_by_level": per_level(analysed, "confidence", "Peak confidence"),
            "l5_s1_against_own_levels": own_levels(analysed),
            "entropy_and_area": area(analysed),
            "entropy_and_score": both_orders(analysed, thresholds),
        }
        for name, figure in drawn.items():
            if figure is not None:
                written += [_save(figure, Path(folder) / f"{name}.{kind}") for kind in ("svg", "pdf")]
    return written


def _save(figure: Figure, path: Path) -> Path:
    """Write a figure without the day on which it was made."""
    buffer = io.BytesIO()
    kind = path.suffix[1:]
    unsaid = {"svg": ("Date", "Creator"), "pdf": ("CreationDate", "Creator", "Producer")}[kind]
    figure.savefig(buffer, format=kind, metadata=dict.fromkeys(unsaid))
    atomic.write_bytes(path, buffer.getvalue())
    return path


def _axes(height: float = HEIGHT) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.add_subplot()


def junction_entropy(analysed: pandas.DataFrame, thresholds: dict[str, float]) -> Figure | None:
    """Histogram of the L5/S1 entropy with the thresholds of the strata."""
    values = summaries.level_values(analysed, JUNCTION, "entropy")
    if not len(values):
        return None
    figure, axes = _axes()
    seaborn.histplot(x=values, bins=_bins(values), color=SOFT, edgecolor=ACCENT, linewidth=0.8, alpha=1, ax=axes)
    axes.grid(axis="x", visible=False)
    low, high = axes.get_xlim()
    margin = 0.15 * (high - low)
    inside = {name: value for name, value in thresholds.items() if low - margin <= value <= high + margin}
    top = axes.get_ylim()[1]
    axes.set_ylim(0, top * (1.02 + 0.1 * len(inside)))
    for line, (name, value) in enumerate(inside.items()):
        axes.axvline(value, color=INK, linewidth=1.4, linestyle=(0, (4, 2)))
        to_right = value < (low + high) / 2
        axes.annotate(
            f"{name} {'>' if name == 'high' else '≥'} {value:g}",
            (value, axes.get_ylim()[1]),
            xytext=(5 if to_right else -5, -2 - 15 * line),
            textcoords="offset points",
            ha="left" if to_right else "right",
            va="top",
            bbox={"facecolor": PAGE, "edgecolor": "none", "pad": 1.5},
        )
    axes.set(xlabel="L5/S1 entropy (nats)", ylabel="Studies")
    _count_axis(axes)
    return figure


def per_level(analysed: pandas.DataFrame, metric: str, label: str) -> Figure | None:
    """Boxes of one metric at the five levels."""
    values = {LEVEL_LABELS[level]: summaries.level_values(analysed, level, metric) for level in LEVELS}
    if not any(map(len, values.values())):
        return None
    figure, axes = _axes()
    few = len(analysed) <= EVERY_POINT
    ends = (0.05, 0.95) if few else (0.01, 0.99)
    points = pandas.concat(
        [_box(axes, row, series, ends, all_points=few) for row, series in enumerate(values.values())], ignore_index=True
    )
    seaborn.stripplot(
        x=points["value"],
        y=points["row"],
        orient="h",
        native_scale=True,
        jitter=False,
        color=ACCENT,
        size=4,
        alpha=0.65,
        ax=axes,
    )
    axes.set_yticks(range(len(values)), values)
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.set(xlabel=label, ylabel="")
    for tick, level in zip(axes.get_yticklabels(), LEVELS):
        tick.set_fontweight("bold" if level == JUNCTION else "normal")
    return figure


def _box(
    axes: Axes, row: int, values: pandas.Series, ends: tuple[float, float], *, all_points: bool
) -> pandas.DataFrame:
    """Draw one box; return the points that belong to it: all of them, or those beyond the whiskers."""
    if not len(values):
        return pandas.DataFrame({"value": [], "row": []})
    low, q1, median, q3, high = np.quantile(values, (ends[0], 0.25, 0.5, 0.75, ends[1]))
    axes.hlines(row, low, high, color=INK, linewidth=1.1)
    axes.vlines([low, high], row - 0.15, row + 0.15, color=INK, linewidth=1.1)
    axes.barh(row, q3 - q1, left=q1, height=0.62, color=SOFT, edgecolor=ACCENT, linewidth=1.1, zorder=2)
    axes.vlines(median, row - 0.31, row + 0.31, color=INK, linewidth=1.6, zorder=3)
    shown = values if all_points else values[(values < low) | (values > high)]
    return pandas.DataFrame({"value": shown.to_numpy(), "row": float(row)})


def own_levels(analysed: pandas.DataFrame) -> Figure | None:
    """Histogram of the junction's entropy against the study's own other levels."""
    values = summaries.study_values(analysed, "entropy_difference")
    if len(values) < 3:
        return None
    figure, axes = _axes()
    seaborn.histplot(x=values, bins=_bins(values), color=SOFT, edgecolor=ACCENT, linewidth=0.8, alpha=1, ax=axes)
    axes.axvline(0, color=INK, linewidth=1.4)
    axes.grid(axis="x", visible=False)
    axes.set(xlabel="L5/S1 minus median of the other levels (nats)", ylabel="Studies")
    _count_axis(axes)
    return figure


def area(analysed: pandas.DataFrame) -> Figure | None:
    """Entropy against blob area with the line entropy = ln(area)."""
    relation = summaries.area_relation(analysed, JUNCTION)
    if relation is None:
        return None
    figure, axes = _axes()
    x, y = relation["area"], relation["entropy"]
    _scatter(x, y, axes)
    line = np.linspace(x.min(), x.max(), 60)
    axes.plot(line, np.log(line), color=INK, linewidth=1.4, linestyle=(0, (4, 2)))
    axes.annotate(
        "ln(area)", (line[40], np.log(line[40])), xytext=(8, -6), textcoords="offset points", ha="left", va="top"
    )
    axes.set(xlabel="Area of the L5/S1 blob (px of the 160 × 160 grid)", ylabel="L5/S1 entropy (nats)")
    return figure


def both_orders(analysed: pandas.DataFrame, thresholds: dict[str, float]) -> Figure | None:
    """Score against the L5/S1 entropy, with the threshold of the rule."""
    both = summaries.entropy_and_score(analysed)
    if len(both) < 3:
        return None
    figure, axes = _axes()
    _scatter(both["entropy"], both["score"], axes)
    low, high = axes.get_xlim()
    if low <= thresholds["high"] <= high:
        axes.axvline(thresholds["high"], color=INK, linewidth=1.4, linestyle=(0, (4, 2)))
    axes.set(xlabel="L5/S1 entropy (nats)", ylabel="Score")
    return figure


def _scatter(x: pandas.Series, y: pandas.Series, axes: Axes) -> None:
    if len(x) > DENSE:
        seaborn.histplot(x=x, y=y, bins=40, cmap=_DENSITY, ax=axes, rasterized=True)
    else:
        seaborn.scatterplot(x=x, y=y, color=ACCENT, s=26, alpha=0.65, linewidth=0, ax=axes)


def _bins(values: pandas.Series) -> int | str:
    return int(np.clip(np.sqrt(len(values)) * 1.5, 8, 45)) if values.nunique() > 1 else 1


def _count_axis(axes: Axes) -> None:
    locator = axes.yaxis.get_major_locator()
    assert isinstance(locator, MaxNLocator), "a linear axis"
    locator.set_params(integer=True)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
