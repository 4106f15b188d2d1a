"""The evaluation as a page: curves with intervals, the primary measure first, and what the numbers may be used for."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from markupsafe import Markup

from lstv.report import templating
from lstv.report.chart import Axis, Chart, axis
from lstv.report.formats import number

_SHARE = tuple(
    (value, text) for value, text in ((0.0, "0"), (0.2, ".2"), (0.4, ".4"), (0.6, ".6"), (0.8, ".8"), (1.0, "1"))
)
_KINDS = ("first", "second", "third")
"""Classes of the lines: the primary measure, and what it is compared with. They differ in their dashes too."""


def render(record: dict[str, Any], *, cohort: str = "", report: str = "", table: str = "", whole: str = "") -> str:
    """The page's HTML from the record of evaluation.json.

    ``report``, ``table`` and ``whole`` are relative links to the report, metrics.csv and evaluation.json; empty for none.
    """
    metrics = {entry["metric"]: entry for entry in record["metrics"]}
    primary = metrics.get(record["primary"])
    plots = [_roc(record, metrics), _precision(record, metrics), _decision(record)]
    return templating.page(
        "evaluation.html.j2",
        record=record,
        cohort=cohort,
        links={"report": report, "table": table, "whole": whole},
        primary=primary if primary and "auc" in primary else None,
        compared=metrics.get(record["compared_with"], {}),
        plots=[plot for plot in plots if plot is not None],
        others=[entry for entry in record["metrics"] if entry["metric"] != record["primary"]],
        subgroups=[
            (name.replace("_", " "), list(rows))
            for name, rows in groupby(record.get("subgroups", []), key=lambda row: row["by"])
        ],
        interval=_interval,
        rate=_rate,
        not_used=_not_used(record["labels"]["not_used"]),
    )


def _interval(entry: dict[str, Any], name: str, digits: int = 2) -> str:
    """Such as ``.81 (.74 to .87)``; a dash where it is undefined."""
    value, low, high = (entry.get(f"{name}{end}") for end in ("", "_low", "_high"))
    if value is None:
        return "–"
    if low is None or high is None:
        return number(value, digits)
    return f"{number(value, digits)} ({number(low, digits)} to {number(high, digits)})"


def _rate(value: float | None) -> str:
    return number(value, 2)


_WHY = {
    "not_in_table": "their id is not in the cohort table",
    "tied": "readers were tied",
    "unclear": "no reader could tell",
    "failed": "the study failed",
    "excluded": "the study is excluded",
}


def _not_used(groups: dict[str, list[str]]) -> list[tuple[int, str]]:
    return [(len(studies), _WHY.get(why, why.replace("_", " "))) for why, studies in groups.items() if studies]


def _curve_axis(label: str) -> Axis:
    return Axis(label, 0.0, 1.0, _SHARE)


def _drawn(chart: Chart, caption: str, key: list[tuple[str, str]]) -> dict[str, Any]:
    return {"title": chart.title, "svg": Markup(chart.svg()), "caption": caption, "key": key}


def _roc(record: dict[str, Any], metrics: dict[str, dict]) -> dict[str, Any] | None:
    curves = {name: points for name, points in record["curves"].items() if points is not None}
    if not curves:
        return None
    texts = {name: f"{name}: AUC {_interval(metrics[name], 'auc')}" for name in curves}
    chart = Chart(
        "roc",
        "ROC curve",
        "; ".join(texts.values()),
        _curve_axis("1 − specificity"),
        _curve_axis("Sensitivity"),
        height=420,
    )
    for points in curves.values():
        _band(chart, points, "sensitivity")
    chart.line((0, 1), (0, 1), "chance", "chance: AUC 0.50")
    for kind, (name, points) in zip(_KINDS, curves.items()):
        chart.line(points["false_positive_rate"], points["sensitivity"], kind, texts[name])
    for x, y in _corners(curves.get(record["primary"]), "false_positive_rate", "sensitivity"):
        chart.point(x, y, f"sensitivity {y:.2f}, specificity {1 - x:.2f}", kind="corner", radius=3)
    caption = "Band: 95 % interval of the sensitivity at each specificity, from resampled studies. Corners have values."
    return _drawn(chart, caption, list(zip(_KINDS, texts.values())))


def _precision(record: dict[str, Any], metrics: dict[str, dict]) -> dict[str, Any] | None:
    curves = {name: points for name, points in record["curves"].items() if points is not None}
    if not curves:
        return None
    texts = {name: f"{name}: average precision {_interval(metrics[name], 'average_precision')}" for name in curves}
    prevalence = record["labels"]["prevalence"]
    chart = Chart(
        "pr",
        "Precision-recall curve",
        "; ".join(texts.values()) + f"; chance is the prevalence, {prevalence:.2f}",
        _curve_axis("Recall (sensitivity)"),
        _curve_axis("Precision (PPV)"),
        height=420,
    )
    for points in curves.values():
        _band(chart, points, "precision")
    chart.line((0, 1), (prevalence, prevalence), "chance", f"chance: the prevalence, {prevalence:.2f}")
    for kind, (name, points) in zip(_KINDS, curves.items()):
        recall, precision = _steps([0.0, *points["recall"]], [points["precision"][0], *points["precision"]])
        chart.line(recall, precision, kind, texts[name])
    for x, y in _corners(curves.get(record["primary"]), "recall", "precision"):
        chart.point(x, y, f"recall {x:.2f}, precision {y:.2f}", kind="corner", radius=3)
    caption = (
        f"Dotted: chance, the prevalence among the labelled studies ({prevalence:.2f}). "
        "At another prevalence the curve is another."
    )
    return _drawn(chart, caption, list(zip(_KINDS, texts.values())))


def _decision(record: dict[str, Any]) -> dict[str, Any] | None:
    drawn = [entry for entry in record["probability"] if entry["decision_curve"]]
    if not drawn:
        return None
    points = [point for entry in drawn for point in entry["decision_curve"]]
    every = drawn[0]["decision_curve"]
    values = [point["net_benefit"] for point in points] + [point["flag_all"] for point in every] + [0.0]
    thresholds = [point["threshold"] for point in every]
    chart = Chart(
        "decision",
        "Decision curve",
        "Net benefit per study of out-of-fold probabilities, beside flagging everybody and nobody.",
        axis("Probability from which a whole-spine localizer is asked for", thresholds[0], thresholds[-1]),
        axis("Net benefit per study", min(values), max(values), margin=0.05),
        height=420,
    )
    chart.line(thresholds, [0.0] * len(thresholds), "chance", "flag nobody: 0")
    chart.line(thresholds, [point["flag_all"] for point in every], "everybody", "flag everybody")
    for kind, entry in zip(_KINDS, drawn):
        benefits = [point["net_benefit"] for point in entry["decision_curve"]]
        chart.line(thresholds, benefits, kind, entry["metric"])
    key = [
        *zip(_KINDS, (entry["metric"] for entry in drawn)),
        ("everybody", "flag everybody"),
        ("chance", "flag nobody"),
    ]
    return _drawn(
        chart, "A rule is worth using only where it lies above both flagging everybody and flagging nobody.", key
    )


def _band(chart: Chart, points: dict[str, Any], name: str) -> None:
    limits = [
        (x, low, high)
        for x, low, high in zip(points.get("grid", ()), points.get(f"{name}_low", ()), points.get(f"{name}_high", ()))
        if low is not None and high is not None
    ]
    if len(limits) > 1:
        chart.band(*zip(*limits))


def _corners(points: dict[str, Any] | None, x: str, y: str) -> list[tuple[float, float]]:
    """At most 60 points of a curve, evenly spread over its corners."""
    pairs = [] if points is None else list(zip(points[x], points[y]))
    return pairs[:: max(1, -(-len(pairs) // 60))]


def _steps(xs: list[float], ys: list[float]) -> tuple[list[float], list[float]]:
    """A staircase: each value holds back to the point before."""
    across, down = [xs[0]], [ys[0]]
    for index in range(1, len(xs)):
        across += [xs[index - 1], xs[index]]
        down += [ys[index], ys[index]]
    return across, down
