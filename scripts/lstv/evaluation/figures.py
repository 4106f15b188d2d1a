"""ROC curve, precision-recall curve and decision curve of an evaluation, as SVG that is the same for the same record."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lstv.base.atomic import write_text

_LINES = (("#0072b2", "-"), ("#d55e00", "--"), ("#009e73", "-."))  # Okabe & Ito; told apart in grey by their dashes
if TYPE_CHECKING:  # not in every matplotlib that can draw these
    from matplotlib.typing import LegendLocType, RcKeyType

_STYLE: dict[RcKeyType, object] = {
    "svg.hashsalt": "lstv",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "axes.grid": True,
    "grid.alpha": 0.3,
}


def write_figures(record: dict, folder: Path) -> list[Path]:
    """Write roc.svg, pr.svg and decision_curve.svg; a figure without data says so in words."""
    drawings = {"roc": _roc, "pr": _pr, "decision_curve": _decision}
    return [_save(draw, record, Path(folder) / f"{name}.svg") for name, draw in drawings.items()]


def _save(draw: Callable[[Axes, dict], bool], record: dict, path: Path) -> Path:
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.2, 5.0), layout="constrained")
        axes = figure.subplots()
        if not draw(axes, record):
            axes.set_axis_off()
            axes.text(
                0.5, 0.5, record["reason"] or "Not assessed: too few labels.", ha="center", va="center", wrap=True
            )
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    write_text(path, stream.getvalue())
    return path


def _roc(axes: Axes, record: dict) -> bool:
    metrics = {entry["metric"]: entry for entry in record["metrics"]}
    drawn = False
    for (name, points), (colour, dashes) in zip(record["curves"].items(), _LINES):
        if points is None:
            continue
        entry = metrics[name]
        label = f"{name}: {entry['auc']:.2f} ({_limit(entry['auc_low'])} to {_limit(entry['auc_high'])})"
        axes.plot(points["false_positive_rate"], points["sensitivity"], color=colour, ls=dashes, label=label)
        drawn = True
    if not drawn:
        return False
    axes.plot([0, 1], [0, 1], color="#666666", lw=0.8, ls=":", label="chance")
    _frame(axes, "1 - specificity", "Sensitivity", "ROC curve, AUC with 95 % interval", "lower right")
    return True


def _pr(axes: Axes, record: dict) -> bool:
    metrics = {entry["metric"]: entry for entry in record["metrics"]}
    drawn = False
    for (name, points), (colour, dashes) in zip(record["curves"].items(), _LINES):
        if points is None:
            continue
        value = metrics[name]["average_precision"]
        axes.step(
            [0.0, *points["recall"]],
            [points["precision"][0], *points["precision"]],
            where="pre",
            color=colour,
            ls=dashes,
            label=f"{name}: {value:.2f}",
        )
        drawn = True
    if not drawn:
        return False
    prevalence = record["labels"]["prevalence"]
    axes.axhline(prevalence, color="#666666", lw=0.8, ls=":", label=f"chance = prevalence: {prevalence:.2f}")
    _frame(axes, "Recall (sensitivity)", "Precision (PPV)", "Precision-recall curve, average precision", "upper right")
    return True


def _decision(axes: Axes, record: dict) -> bool:
    drawn = [entry for entry in record["probability"] if entry["decision_curve"]]
    if not drawn:
        return False
    for entry, (colour, dashes) in zip(drawn, _LINES):
        points = entry["decision_curve"]
        thresholds = [point["threshold"] for point in points]
        axes.plot(thresholds, [p["net_benefit"] for p in points], color=colour, ls=dashes, label=entry["metric"])
    axes.plot(thresholds, [p["flag_all"] for p in points], color="#666666", lw=0.8, label="flag everybody")
    axes.axhline(0, color="#666666", lw=0.8, ls=":", label="flag nobody")
    axes.set(xlabel="Probability from which a localizer is asked for", ylabel="Net benefit per study")
    axes.set_xticks([0.02, 0.05, 0.1, 0.15, 0.2])
    axes.set_title("Decision curve, out-of-fold probabilities", fontsize="medium")
    axes.legend(loc="upper right", fontsize="small")
    return True


def _frame(axes: Axes, x: str, y: str, title: str, legend: LegendLocType) -> None:
    axes.set(xlabel=x, ylabel=y, xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.set_title(title, fontsize="medium")
    axes.legend(loc=legend, fontsize="small")


def _limit(value: float | None) -> str:
    return "?" if value is None else f"{value:.2f}"


def write_agreement(pairs: dict[str, dict], called: dict[str, str], path: Path) -> Path:
    """Write the offsets of numbering of each pair of readers as one SVG; ``pairs`` as ``agreement.agreement`` gives them by
    ``one/other``, ``called``: how a reader is called in words."""

    def draw(axes: Axes, record: dict) -> bool:
        shown = {name: entry for name, entry in record["pairs"].items() if entry["studies"]}
        offsets = sorted({int(value) for entry in shown.values() for value in entry["offsets"]})
        if not shown:
            return False
        width = 0.8 / len(shown)
        for place, ((name, entry), (colour, _)) in enumerate(zip(shown.items(), _LINES)):
            one, other = (called[reader] for reader in name.split("/"))
            counts = [entry["offsets"].get(str(offset), 0) for offset in offsets]
            where = [index + (place - (len(shown) - 1) / 2) * width for index in range(len(offsets))]
            bars = axes.bar(where, counts, width, color=colour, label=f"{other} against {one} (n = {entry['studies']})")
            axes.bar_label(bars, [str(count) if count else "" for count in counts], fontsize=8)
        axes.set_xticks(
            range(len(offsets)), [f"{offset:+d}".replace("-", "\u2212") if offset else "0" for offset in offsets]
        )
        axes.set_xlabel("levels by which the names differ")
        axes.set_ylabel("studies")
        axes.grid(axis="x", visible=False)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylim(top=1.3 * axes.get_ylim()[1])  # room for the legend
        axes.legend(fontsize=8)
        return True

    return _save(draw, {"pairs": pairs, "reason": "No study has masks that could be compared."}, path)
