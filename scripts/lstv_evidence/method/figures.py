"""Figures of the method study, as SVG that is the same for the same record."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lstv.base.atomic import write_text
from lstv_evidence.method.design import ORDINARY, TRANSITIONAL, method_study_of_record
from lstv_evidence.method.markdown import words
from lstv_evidence.method.study_text import LAYER_1, shown

_BLUE, _ORANGE, _GREEN, _GREY = "#0072b2", "#d55e00", "#009e73", "#666666"  # Okabe & Ito
if TYPE_CHECKING:  # not in every matplotlib that can draw these
    from matplotlib.typing import RcKeyType

_STYLE: dict[RcKeyType, object] = {
    "svg.hashsalt": "lstv",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.axisbelow": True,
}


def write_figures(record: dict, folder: Path) -> list[Path]:
    """Write auc.svg, groups.svg and roc.svg."""
    drawings = {"auc": _auc, "groups": _groups, "roc": _roc}
    paths = []
    for name, draw in drawings.items():
        with matplotlib.rc_context(_STYLE):
            figure = draw(record)
            stream = io.StringIO()
            figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
        # the path data of the library ends lines in blanks
        lines = re.sub(r"[ \t]+\n", "\n", stream.getvalue())
        write_text(Path(folder) / f"{name}.svg", lines)
        paths.append(Path(folder) / f"{name}.svg")
    return paths


def _auc(record: dict) -> Figure:
    found = shown(record, "all")
    ordinary = {entry["metric"]: entry for entry in record["metrics"][ORDINARY]}
    figure = Figure(figsize=(7.5, 0.6 + 0.19 * len(found)), layout="constrained")
    axes = figure.subplots()
    for row, entry in enumerate(reversed(found)):
        name = entry["metric"]
        colour = _BLUE if name == record["primary"] else _ORANGE if name in LAYER_1 else _GREY
        axes.plot([entry["auc_low"], entry["auc_high"]], [row, row], color=colour, lw=1.4)
        axes.plot(entry["auc"], row, "o", color=colour, ms=4.5)
        if ordinary[name].get("auc") is not None:
            axes.plot(ordinary[name]["auc"], row, "o", mfc="none", mec=colour, ms=4.5)
    axes.axvline(0.5, color=_GREY, lw=0.8, ls=":")
    axes.set_yticks(range(len(found)), [entry["metric"] for entry in reversed(found)])
    axes.set(xlim=(min(0.2, *(entry["auc_low"] for entry in found)), 1.01), ylim=(-0.8, len(found) - 0.2))
    axes.set_xlabel("AUC with 95 % interval: against all others (filled), ordinary spines (open)")
    return figure


def _groups(record: dict) -> Figure:
    study = method_study_of_record(record)
    rows = [(ORDINARY, [s for s in record["studies"] if s["group"] == ORDINARY], _GREY)]
    for kind in TRANSITIONAL:
        own = [s for s in record["studies"] if s["group"] == kind]
        rows += [(f"{kind} {degree:g}", [s for s in own if s["degree"] == degree], _BLUE) for degree in study.degrees]
    rows += [(words(name), [s for s in record["studies"] if s["group"] == name], _ORANGE) for name in study.nuisances]
    figure = Figure(figsize=(7.5, 0.8 + 0.24 * len(rows)), layout="constrained")
    score, entropy = figure.subplots(1, 2, sharey=True)
    _strips(score, rows, "score", "Score of the combined ranking")
    _strips(entropy, rows, "entropy", "Entropy of L5/S1 (nat)")
    score.set_yticks(range(len(rows)), [name for name, *_ in rows])
    score.invert_yaxis()
    return figure


def _strips(axes: Axes, rows: list[tuple[str, list[dict], str]], key: str, label: str) -> None:
    """A point a phantom, a bar at the median; the dotted line is the median of the ordinary spines."""
    rng = np.random.default_rng(0)
    for row, (name, studies, colour) in enumerate(rows):
        values = np.array([s[key] for s in studies if s[key] is not None])
        if not len(values):
            continue
        axes.plot(values, row + rng.uniform(-0.28, 0.28, len(values)), "o", color=colour, ms=3.2, alpha=0.6, mew=0)
        axes.plot([np.median(values)] * 2, [row - 0.4, row + 0.4], color="black", lw=1.6)
        if name == ORDINARY:
            axes.axvline(np.median(values), color=_GREY, lw=0.8, ls=":")
    axes.set_xlabel(label)


def _roc(record: dict) -> Figure:
    figure = Figure(figsize=(4.2, 4.0), layout="constrained")
    axes = figure.subplots()
    areas = {entry["metric"]: entry for entry in record["metrics"]["all"]}
    for (name, points), colour, dashes in zip(record["roc"].items(), (_BLUE, _ORANGE), ("-", "--")):
        area = f"{areas[name]['auc']:.2f}" if areas[name].get("auc") is not None else "not assessed"
        axes.plot(
            points["false_positive_rate"], points["sensitivity"], color=colour, ls=dashes, label=f"{name}: {area}"
        )
    axes.plot([0, 1], [0, 1], color=_GREY, lw=0.8, ls=":", label="chance")
    axes.set(xlabel="1 - specificity", ylabel="Sensitivity", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.legend(loc="lower right", fontsize="small")
    return figure
