"""Pictures of the page for radiologists: demo phantoms as the report shows them, each with what it is an example of."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from lstv.anatomy.points import FOUND
from lstv.base import atomic
from lstv.base.errors import UserError
from lstv.base.levels import GRID, LEVEL_LABELS, LEVELS
from lstv.localizer import heatmap_file
from lstv.localizer.outcome import NotAnalysed
from lstv.report.brightness import windowed
from lstv.report.directions import edge_letters
from lstv.report.inputs import locate, read_table
from lstv.report.overlay import probabilities
from lstv.report.palette import JUNCTION, LEVEL_COLOURS
from lstv.report.standing_out import LOCALIZER, STANDS_OUT, USUAL, Group, group_of
from lstv.uncertainty import study_record

_QUALITY = 82
"""Of the WebP files: outlines and letters stay sharp at a fifth of a PNG's bytes."""


@dataclass(frozen=True)
class Example:
    """A study of the demo cohort, the list that it is on, and the words under its picture."""

    study_id: str
    on: Group
    words: str


FIGURES: dict[str, tuple[Example, ...]] = {
    "usual": (
        Example("104928817", USUAL, "Nothing unusual:\nfive points, five discs"),
        Example("590137482", USUAL, "Nothing unusual:\nanother patient, another curve"),
    ),
    "stands_out": (
        Example("733841096", STANDS_OUT, "Stands out: six discs where five are named\n(drawn as lumbarized)"),
        Example("2215079843", STANDS_OUT, "Stands out: the L5/S1 answer is weak\n(drawn as half lumbarized)"),
        Example("1293446851", STANDS_OUT, "Stands out: two levels are marked at one disc\n(drawn as sacralized)"),
    ),
    "localizer": (Example("3905761482", LOCALIZER, "Look at the localizer:\nthe picture ends too near to L1/L2"),),
    "wrong": (
        Example("3096148527", STANDS_OUT, "A false alarm: stands out,\nbut was drawn with a usual junction"),
        Example(
            "3618254970",
            STANDS_OUT,
            "Right by chance: stands out for an outline above\nL1/L2, and was drawn as slightly sacralized",
        ),
    ),
}
"""By the name of the file. What a phantom was drawn as stands in resources/demo/studies.csv."""


def examples() -> list[Example]:
    """The examples of all figures."""
    return [example for of_figure in FIGURES.values() for example in of_figure]


def write(results: Path, folder: Path) -> list[Path]:
    """Write every figure as WebP from the results of the demo cohort. Raises UserError where these are not complete, or a
    study is on another list than its words say."""
    wanted = [example.study_id for example in examples()]
    files = locate(sorted((results / "heatmaps").glob("*.h5")), wanted)
    absent = sorted(set(wanted) - set(files))
    if absent:
        raise UserError(f"study {absent[0]} has no heatmaps in {results / 'heatmaps'}; run make demo first.")
    check(results / "lstv_uncertainty_metrics.csv")
    written = []
    for name, shown in FIGURES.items():
        figure = Figure(figsize=(4.3 * len(shown), 5.0), layout="constrained", facecolor="white")
        for axes, example in zip(np.atleast_1d(figure.subplots(1, len(shown))), shown):
            _panel(axes, results, files[example.study_id], example)
        written.append(_save(figure, folder / f"reading_{name}.webp"))
    return written


def check(table: Path) -> None:
    """Raise UserError where a study is on another list of this cohort table than its picture says, or on none."""
    rows = {row["study_id"]: row for row in read_table(table).to_dict("records")}
    for example in examples():
        if example.study_id not in rows:
            raise UserError(f"the cohort table {table} lacks study {example.study_id}; run make demo first.")
        on = group_of(rows[example.study_id], ranked=True)
        if on != example.on:
            raise UserError(
                f"study {example.study_id} is on the list {on.title!r} in {table}, but its picture says "
                f"{example.on.title!r}; change the words of scripts/lstv_evidence/reading_figures.py and docs/reading.md."
            )


def _panel(axes: Axes, results: Path, heatmaps: Path, example: Example) -> None:
    maps = heatmap_file.read_study(heatmaps, example.study_id, members=False)
    if isinstance(maps, NotAnalysed):
        raise UserError(f"study {example.study_id} was not analysed ({maps.reason}); make the demo cohort again.")
    levels = study_record.read(results / "studies" / f"{example.study_id}.json")["levels"]
    row_mm, column_mm = maps.geometry.grid_spacing(GRID)
    axes.imshow(windowed(maps.image), cmap="gray", vmin=0, vmax=255, interpolation="bilinear")
    axes.set_aspect(row_mm / column_mm)
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel(example.words, fontsize=11)
    heights: list[float] = []
    for level, p in zip(LEVELS, probabilities(maps)):
        point = levels[level]["point_px"]
        if point is None:
            continue
        colour, junction = LEVEL_COLOURS[level], level == JUNCTION
        if p.max() > FOUND:
            axes.contour(p, levels=[FOUND], colors=[colour], linewidths=2.2 if junction else 1.3)
        axes.plot(*point, "o", color=colour, markeredgecolor="black", markersize=5)
        height = max([point[1], *(other + 10 for other in heights)])  # names that do not overlap
        heights.append(height)
        axes.annotate(
            LEVEL_LABELS[level],
            point,
            xytext=(min(point[0] + 20, GRID - 24), height),
            color=colour,
            fontsize=12 if junction else 10,
            fontweight="bold",
            va="center",
            bbox={"facecolor": "black", "alpha": 0.6, "edgecolor": "none", "pad": 1.5},
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8, "shrinkB": 4},
        )
    letters = edge_letters(maps.geometry)
    for side, corner in {"left": (0.04, 0.5), "right": (0.96, 0.5), "top": (0.5, 0.96), "bottom": (0.5, 0.04)}.items():
        axes.text(*corner, letters[side], transform=axes.transAxes, color="white", ha="center", va="center")


def _save(figure: Figure, path: Path) -> Path:
    drawn, packed = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=96, metadata={"Software": None})
    Image.open(drawn).convert("RGB").save(packed, "webp", quality=_QUALITY, method=6)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(path, packed.getvalue())
    return path
