"""The report's plots: the cohort's distributions, each study's value and a link to it on hover, and captions in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas

from lstv.base.levels import LEVEL_LABELS, LEVELS
from lstv.base.text import counted
from lstv.report import formats, summaries
from lstv.report.chart import Axis, Chart, axis
from lstv.report.palette import JUNCTION

EVERY_POINT = 150
"""Up to so many studies each is drawn as a point."""

DENSE = 600
"""Above so many a scatter plot becomes a map of counts."""

_CELLS = 36
_SHADES = 5


@dataclass(frozen=True)
class Place:
    """What a study is called in the page, and where its link leads; None for no link."""

    name: str
    link: str | None


@dataclass(frozen=True)
class Drawn:
    """A plot of the page: ``svg``, its ``title`` and the ``caption`` that says how to read it."""

    title: str
    svg: str
    caption: str


def draw(analysed: pandas.DataFrame, thresholds: dict[str, float], places: Mapping[str, Place]) -> list[Drawn]:
    """All plots that the analysed studies allow; empty without studies. ``places`` by study id."""
    if not len(analysed):
        return []
    drawn = [
        junction_entropy(analysed, thresholds),
        per_level(analysed, places, "entropy", "Entropy (nats)", "Entropy of each level"),
        per_level(analysed, places, "confidence", "Peak confidence", "Peak confidence of each level"),
        own_levels(analysed),
        area(analysed, places),
        both_orders(analysed, thresholds, places),
    ]
    return [plot for plot in drawn if plot is not None]


def junction_entropy(analysed: pandas.DataFrame, thresholds: dict[str, float]) -> Drawn | None:
    """Histogram of the L5/S1 entropy with the thresholds of the strata."""
    values = summaries.level_values(analysed, JUNCTION, "entropy")
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    margin = 0.15 * (high - low)
    inside = {name: value for name, value in thresholds.items() if low - margin <= value <= high + margin}
    spread = summaries.quartiles(values)
    description = (
        f"Histogram of {counted(len(values), 'study')}: median {spread['median']:.2f}, middle half from "
        f"{spread['q1']:.2f} to {spread['q3']:.2f}, range {low:.2f} to {high:.2f} nats; "
        f"{(values > thresholds['high']).sum():,} above {thresholds['high']:g}."
    )
    chart = _histogram(
        "plot-junction", "L5/S1 entropy", description, values, "L5/S1 entropy (nats)", list(inside.values())
    )
    for row, (name, value) in enumerate(inside.items()):
        chart.threshold(value, f"{name} {'>' if name == 'high' else '≥'} {value:g}", row)
    beyond = [
        f"The threshold {name} ({value:g}) lies outside the range shown."
        for name, value in thresholds.items()
        if name not in inside
    ]
    caption = (
        "Dashed: thresholds of the strata. A narrow peak that sits on a threshold means that it cuts through the bulk of "
        "the cohort, not that it has found a group apart."
        if inside
        else "No threshold of the strata lies among these values."
    )
    return Drawn(chart.title, chart.svg(), " ".join([caption, *(beyond if inside else [])]))


def per_level(
    analysed: pandas.DataFrame, places: Mapping[str, Place], metric: str, label: str, title: str
) -> Drawn | None:
    """Boxes of one metric at the five levels."""
    values = {level: summaries.level_values(analysed, level, metric) for level in LEVELS}
    every = pandas.concat(list(values.values()))
    if not len(every):
        return None
    few = len(analysed) <= EVERY_POINT
    rows = tuple((float(len(LEVELS) - 1 - row), LEVEL_LABELS[level]) for row, level in enumerate(LEVELS))
    medians = "; ".join(
        f"{LEVEL_LABELS[level]} {formats.number(series.median(), 3)}" for level, series in values.items()
    )
    chart = Chart(
        f"plot-{metric}",
        title,
        f"Median by level: {medians}.",
        axis(label, float(every.min()), float(every.max()), margin=0.04),
        Axis("", -0.6, len(LEVELS) - 0.4, rows),
    )
    for (row, name), series in zip(rows, values.values()):
        _box(chart, row, name, series, (0.05, 0.95) if few else (0.01, 0.99))
        low, high = series.quantile([0.01, 0.99]) if len(series) else (0.0, 0.0)
        shown = series if few else series[(series < low) | (series > high)]
        for index, value in shown.items():
            place = _place(analysed, index, places)
            chart.point(value, row, f"{place.name}: {name} {formats.number(value, 3)}", place.link, radius=3.5)
    names = "5th and 95th" if few else "1st and 99th"
    caption = f"Box: middle half of the studies, line: median, whiskers: {names} percentile"
    caption += ", points: every study." if few else ", points: studies beyond."
    return Drawn(title, chart.svg(), f"{caption} Only levels that were found.")


def _box(chart: Chart, row: float, name: str, values: pandas.Series, ends: tuple[float, float]) -> None:
    if not len(values):
        return
    low, q1, median, q3, high = map(float, np.quantile(values, (ends[0], 0.25, 0.5, 0.75, ends[1])))
    chart.line((low, high), (row, row), "whisker")
    for end in (low, high):
        chart.line((end, end), (row - 0.15, row + 0.15), "whisker")
    said = f"{name}: median {formats.number(median, 3)}, middle half {formats.number(q1, 3)} to {formats.number(q3, 3)}"
    chart.bar(q1, q3, row + 0.31, said, "middle", row - 0.31)
    chart.line((median, median), (row - 0.31, row + 0.31), "median", said)


def own_levels(analysed: pandas.DataFrame) -> Drawn | None:
    """Histogram of the junction's entropy against the study's own other levels."""
    values = summaries.study_values(analysed, "entropy_difference")
    if len(values) < 3:
        return None
    spread = summaries.quartiles(values)
    description = (
        f"Histogram of {counted(len(values), 'study')}: median {formats.number(spread['median'], 3)}, "
        f"middle half from {formats.number(spread['q1'], 3)} to {formats.number(spread['q3'], 3)} nats."
    )
    title = "L5/S1 against the study’s other levels"
    chart = _histogram("plot-own", title, description, values, "L5/S1 minus median of the other levels (nats)", [0.0])
    chart.threshold(0.0, "no difference")
    caption = (
        "Each study against itself: field of view, pixel size and the network’s usual blob size cancel. Studies far to the "
        "right have an L5/S1 blob larger or more spread than their own upper levels."
    )
    return Drawn(title, chart.svg(), caption)


def area(analysed: pandas.DataFrame, places: Mapping[str, Place]) -> Drawn | None:
    """Entropy against blob area with the line entropy = ln(area)."""
    relation = summaries.area_relation(analysed, JUNCTION)
    if relation is None:
        return None
    x, y = relation["area"], relation["entropy"]
    description = (
        f"{counted(len(x), 'study')}: the logarithm of the area explains {100 * relation['r2']:.0f} % of the "
        "variance of the entropy (squared correlation)."
    )
    line = np.linspace(x.min(), x.max(), 60)
    low, high = min(y.min(), np.log(line[0])), max(y.max(), np.log(line[-1]))
    chart = Chart(
        "plot-area",
        "What the L5/S1 entropy measures",
        description,
        axis("Area of the L5/S1 blob (px of the 160 × 160 grid)", float(x.min()), float(x.max()), margin=0.04),
        axis("L5/S1 entropy (nats)", float(low), float(high), margin=0.06),
    )
    _scatter(chart, x, y, analysed, places, ("area {:,.0f} px", "entropy {:.2f}"))
    chart.line(line.tolist(), np.log(line).tolist(), "mark", "entropy = ln(area)")
    chart.words(float(line[40]), float(np.log(line[40])) - 0.04 * (high - low), "ln(area)")
    caption = (
        "Dashed: entropy = ln(area). In this cohort the logarithm of the blob’s area explains "
        f"{100 * relation['r2']:.0f} % of the variance of the L5/S1 entropy; the rest is what the entropy adds to the "
        "plain area."
    )
    return Drawn(chart.title, chart.svg(), caption)


def both_orders(analysed: pandas.DataFrame, thresholds: dict[str, float], places: Mapping[str, Place]) -> Drawn | None:
    """Score against the L5/S1 entropy, with the threshold of the rule."""
    both = summaries.entropy_and_score(analysed)
    if len(both) < 3:
        return None
    correlation = both["entropy"].rank().corr(both["score"].rank())
    agreement = f"Spearman’s correlation {formats.number(correlation, 2)}" if np.isfinite(correlation) else "no spread"
    x, y = both["entropy"], both["score"]
    chart = Chart(
        "plot-orders",
        "The entropy beside the score",
        f"{counted(len(both), 'study')}; {agreement}.",
        axis("L5/S1 entropy (nats)", float(x.min()), float(x.max()), margin=0.04),
        axis("Score", float(y.min()), float(y.max()), margin=0.06),
    )
    shown = chart.x.low <= thresholds["high"] <= chart.x.high
    if shown:
        chart.threshold(thresholds["high"], f"high > {thresholds['high']:g}")
    _scatter(chart, x, y, analysed, places, ("entropy {:.2f}", "score {:.3f}"))
    dashed = f" (dashed: high above {thresholds['high']:g} nats)" if shown else ""
    caption = (
        f"Each study by the entropy{dashed} and by the score; {agreement}. "
        "High up on the left are studies that the plain entropy does not see."
    )
    return Drawn(chart.title, chart.svg(), caption)


def _scatter(
    chart: Chart,
    x: pandas.Series,
    y: pandas.Series,
    analysed: pandas.DataFrame,
    places: Mapping[str, Place],
    said: tuple[str, str],
) -> None:
    """Points of studies, whose rows in the table are the index of ``x``; of many studies a map of counts."""
    if len(x) <= DENSE:
        for index in x.index:
            place = _place(analysed, index, places)
            hover = f"{place.name}: {said[0].format(x[index])}, {said[1].format(y[index])}"
            chart.point(x[index], y[index], hover, place.link)
        return
    counts, across, up = np.histogram2d(x, y, bins=_CELLS)
    steps = np.quantile(counts[counts > 0], np.linspace(0, 1, _SHADES + 1)[1:-1])
    for i, j in zip(*np.nonzero(counts)):
        left, right, bottom, top = across[i], across[i + 1], up[j], up[j + 1]
        where = f"{said[0].format((left + right) / 2)}, {said[1].format((bottom + top) / 2)}"
        shade = 1 + int(np.searchsorted(steps, counts[i, j], side="left"))
        studies = "study" if counts[i, j] == 1 else "studies"
        chart.bar(left, right, top, f"{counts[i, j]:,.0f} {studies} about {where}", f"cell d{shade}", bottom)


def _histogram(name: str, title: str, description: str, values: pandas.Series, label: str, marks: list[float]) -> Chart:
    counts, edges = np.histogram(values, bins=_bins(values))
    across = axis(label, min([edges[0], *marks]), max([edges[-1], *marks]), margin=0.03)
    top = float(counts.max()) * (1.02 + 0.1 * len(marks))
    chart = Chart(name, title, description, across, axis("Studies", 0.0, top, whole=True))
    for count, left, right in zip(counts, edges[:-1], edges[1:]):
        if count:
            studies = "study" if count == 1 else "studies"
            chart.bar(left, right, float(count), f"{left:.2f} to {right:.2f}: {count:,} {studies}")
    return chart


def _bins(values: pandas.Series) -> int:
    return int(np.clip(np.sqrt(len(values)) * 1.5, 8, 45)) if values.nunique() > 1 else 1


def _place(analysed: pandas.DataFrame, index: object, places: Mapping[str, Place]) -> Place:
    study_id = str(analysed.at[index, "study_id"])
    return places.get(study_id) or Place("a study", None)
