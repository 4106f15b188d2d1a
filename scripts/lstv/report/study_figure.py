"""One study as a figure, for debugging: slice, heatmaps, points, numbers, flags."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpecFromSubplotSpec
from matplotlib.transforms import Bbox

from lstv.anatomy.points import FOUND
from lstv.base import atomic
from lstv.base.levels import GRID, LEVEL_LABELS, LEVELS
from lstv.localizer.heatmap_file import Analysed, StudyMaps
from lstv.localizer.outcome import NotAnalysed
from lstv.report import formats
from lstv.report.brightness import windowed
from lstv.report.directions import edge_letters
from lstv.report.overlay import heat_layer, probabilities
from lstv.report.palette import JUNCTION, LEVEL_COLOURS
from lstv.report.summaries import MAIN_METRICS
from lstv.uncertainty.records import StudyRecord

_HEADS = {
    "entropy": "entropy\n(nats)",
    "confidence": "peak",
    "spatial_entropy": "spatial\n(nats)",
    "area_px": "area\n(px)",
}
_DIGITS = {"entropy": 3, "confidence": 3, "spatial_entropy": 3, "area_px": 0}
_WIDTH, _TEXT_COLUMNS, _MOST_LINES = 126, 3, 24
"""The block of text: characters in a line, columns of the study's numbers, lines at full size."""


def draw(document: StudyRecord, maps: StudyMaps, path: Path) -> None:
    """Write the figure as PNG, atomically; a study that failed is shown as its status and reason.

    ``document`` is the study's metrics JSON, ``maps`` its entry of the heatmap file.
    """
    figure = Figure(figsize=(15, 8.6), layout="constrained", facecolor="white")
    flags = ", ".join(document.get("flags", [])) or "none"
    figure.suptitle(f"Study {document['study_id']}    status: {document['status']}", fontsize=15, ha="left", x=0.01)
    figure.text(0.99, 0.005, "Research use only. Not a diagnosis.", fontsize=10, ha="right", va="bottom")
    if isinstance(maps, NotAnalysed) or document["status"] != "ok":
        reason = document.get("reason") or maps.reason or "no reason was recorded"
        _text(figure.add_subplot(), f"There is nothing to draw.\n\nReason: {reason}\n\nFlags: {flags}")
    else:
        probability = probabilities(maps)
        grid = figure.add_gridspec(1, 2, width_ratios=[1.05, 1.5])
        _overview(figure.add_subplot(grid[0]), document, maps, probability)
        right = GridSpecFromSubplotSpec(3, 1, grid[1], height_ratios=[1.0, 0.95, 1.35])
        upper = GridSpecFromSubplotSpec(1, 5, right[0], wspace=0.02)
        for index, level in enumerate(LEVELS):
            _level(figure.add_subplot(upper[index]), level, probability[index], maps)
        _table(figure.add_subplot(right[1]), document)
        _text(figure.add_subplot(right[2]), f"{_study_numbers(document)}\n\nFlags: {flags}\n\n{_provenance(document)}")
    _save(figure, path)


def _overview(axes: Axes, document: StudyRecord, maps: Analysed, probability: np.ndarray) -> None:
    _picture(axes, maps)
    axes.imshow(heat_layer(probability), interpolation="bilinear", extent=_EXTENT)
    for level, p in zip(LEVELS, probability):
        colour, junction = LEVEL_COLOURS[level], level == JUNCTION
        if p.max() > FOUND:
            axes.contour(p, levels=[FOUND], colors=[colour], linewidths=2.4 if junction else 1.2)
        point = document["levels"][level]["point_px"]
        if point is not None:
            axes.plot(*point, "o", color=colour, markeredgecolor="black", markersize=5)
            axes.annotate(
                f"{LEVEL_LABELS[level]}  {p.max():.3f}",
                point,
                xytext=(16, -4),
                textcoords="offset points",
                color=colour,
                fontsize=13 if junction else 10,
                fontweight="bold",
                bbox={"facecolor": "black", "alpha": 0.55, "edgecolor": "none", "pad": 1.5},
            )
    directions = edge_letters(maps.geometry)
    for side, corner in {
        "left": (0.02, 0.5),
        "right": (0.98, 0.5),
        "top": (0.5, 0.98),
        "bottom": (0.5, 0.02),
    }.items():
        axes.text(
            *corner,
            directions[side],
            transform=axes.transAxes,
            color="white",
            fontsize=12,
            ha="center",
            va="center",
        )
    lost = [LEVEL_LABELS[level] for level in LEVELS if document["levels"][level]["point_px"] is None]
    axes.set_xlabel("centre slice, outline p = 0.5" + (f"; not found: {', '.join(lost)}" if lost else ""))


_EXTENT = (-0.5, GRID - 0.5, GRID - 0.5, -0.5)


def _picture(axes: Axes, maps: Analysed) -> None:
    """The slice in its true proportions."""
    row_mm, column_mm = maps.geometry.grid_spacing(GRID)
    axes.imshow(windowed(maps.image), cmap="gray", vmin=0, vmax=255, interpolation="bilinear", extent=_EXTENT)
    axes.set_aspect(row_mm / column_mm)
    axes.set(xticks=[], yticks=[])


def _level(axes: Axes, level: str, probability: np.ndarray, maps: Analysed) -> None:
    """The map of one level as logarithm of p, from 1e-3 to 1: so that weak second responses show."""
    row_mm, column_mm = maps.geometry.grid_spacing(GRID)
    shades = LinearSegmentedColormap.from_list(level, ["#000000", LEVEL_COLOURS[level], "#ffffff"])
    axes.imshow(np.log10(np.maximum(probability, 1e-3)), cmap=shades, vmin=-3, vmax=0)
    axes.set_aspect(row_mm / column_mm)
    axes.set(xticks=[], yticks=[])
    axes.set_title(LEVEL_LABELS[level], fontsize=11, fontweight="bold" if level == JUNCTION else "normal")
    axes.set_xlabel("log p, $10^{-3}$ to 1" if level == LEVELS[0] else "", fontsize=8)


def _table(axes: Axes, document: StudyRecord) -> None:
    axes.axis("off")
    cells = []
    for level in LEVELS:
        values = document["levels"][level]
        point, patient_point = values["point_px"], values["point_mm"]
        cells.append(
            [
                LEVEL_LABELS[level],
                *(formats.number(values.get(name), _DIGITS[name]) for name in MAIN_METRICS),
                formats.UNDEFINED if point is None else ", ".join(f"{value:.1f}" for value in point),
                formats.UNDEFINED if patient_point is None else ", ".join(f"{value:.1f}" for value in patient_point),
            ]
        )
    heads = ["level", *(_HEADS[name] for name in MAIN_METRICS), "column, row\n(160 grid)", "x, y, z\n(mm)"]
    table = axes.table(
        cells, colLabels=heads, bbox=Bbox.unit(), cellLoc="center", colWidths=[0.9, 0.9, 0.9, 0.9, 0.9, 1.3, 1.9]
    )
    table.auto_set_font_size(False)
    table.set_fontsize(9.5)
    for (row, _), cell in table.get_celld().items():
        cell.set_edgecolor("#c8d0d5")
        if row == 0:
            cell.set_height(1.6 * cell.get_height())
        if row == len(LEVELS):
            cell.set_text_props(fontweight="bold")


def _study_numbers(document: StudyRecord) -> str:
    """All numbers of the study in columns of text."""
    entries = [
        f"{name} {formats.significant(value) if not isinstance(value, str) else value}"
        for name, value in document["study"].items()
        if value is None or isinstance(value, (int, float, str))
    ]
    rows = -(-len(entries) // _TEXT_COLUMNS)
    entries += [""] * (rows * _TEXT_COLUMNS - len(entries))
    columns = [entries[start : start + rows] for start in range(0, len(entries), rows)]
    return "\n".join(
        "".join(f"{entry:<{_WIDTH // _TEXT_COLUMNS}}" for entry in line).rstrip() for line in zip(*columns)
    )


def _provenance(document: StudyRecord) -> str:
    known: Mapping[str, object] = document["provenance"]
    shown = ("checkpoint_file", "preprocessing", "members", "device", "centre_slice", "n_slices", "reorientation")
    return "; ".join(f"{name}: {known[name]}" for name in shown if known.get(name) is not None)


def _text(axes: Axes, text: str) -> None:
    axes.axis("off")
    lines = [part for line in text.split("\n") for part in textwrap.wrap(line, _WIDTH, drop_whitespace=False) or [""]]
    size = 8.0 * min(1.0, _MOST_LINES / len(lines))
    block = axes.text(0, 1, "\n".join(lines), family="monospace", fontsize=size, va="top", transform=axes.transAxes)
    block.set_in_layout(False)


def _save(figure: Figure, path: Path) -> None:
    with atomic.replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100, metadata={"Software": None})
