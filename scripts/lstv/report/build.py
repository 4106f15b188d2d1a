"""Render the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup

from lstv.base import atomic
from lstv.base.levels import LEVEL_LABELS, LEVELS
from lstv.folder import passed_over
from lstv.localizer import heatmap_file
from lstv.report import content, figures, formats, inputs, overlay
from lstv.report.palette import JUNCTION, LEVEL_COLOURS

_TEMPLATES = Path(__file__).parent / "templates"


def build(
    *,
    table: Path,
    sheet: Path,
    studies: Sequence[Path],
    heatmap_files: Sequence[Path],
    settings: Path | None,
    scan: Path | None = None,
    out: Path,
    title: str,
    top: int,
    show_ids: bool,
) -> dict:
    """Write the report to ``out`` and return its content (see ``content.make``).

    The same input gives the same bytes. Raises UserError where the input is unreadable or does not fit together.
    """
    options = content.Options(title, top, show_ids, Path(out), Path(table))
    read = inputs.read(table, sheet, studies, settings)
    runs = [heatmap_file.read_run(path) for path in sorted(map(Path, heatmap_files))]
    page = content.make(read, runs, options)
    page["passed_over"] = "" if scan is None else passed_over.sentence(scan)
    drawn = figures.draw(page["analysed"], page["thresholds"])
    overlays = _overlays([*page["candidates"], *page["localizer"][:top]], read, heatmap_files)
    atomic.write_text(Path(out), render(page, drawn, overlays))
    return page


def _overlays(cards: list[dict], read: inputs.Inputs, files: Sequence[Path]) -> dict[str, overlay.Overlay]:
    """Overlays of the candidates by study id; a study that no heatmap file holds has none."""
    places = inputs.locate(files, (card["study_id"] for card in cards))
    result = {}
    for study_id, path in places.items():
        maps = heatmap_file.read_study(path, study_id, members=False)
        if maps.status == "ok":
            result[study_id] = overlay.overlay(maps, points(read.studies.get(study_id, {})))
    return result


def points(document: dict) -> dict[str, list[float] | None]:
    """(column, row) of every level on the network's grid from a metrics JSON; None where a level was not found."""
    levels = document.get("levels", {})
    return {level: levels.get(level, {}).get("point_px") for level in LEVELS}


def render(page: dict, drawn: list[figures.Drawn], overlays: dict[str, overlay.Overlay]) -> str:
    """The page's HTML. Everything from outside is escaped; only the style, the script and our own drawings are not."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        count=formats.count, number=formats.number, significant=formats.significant, level=LEVEL_LABELS.__getitem__
    )
    environment.globals.update(percent=formats.percent, levels=LEVELS, junction=JUNCTION, colours=LEVEL_COLOURS)
    return environment.get_template("report.html.j2").render(
        page=page,
        figures=[{"title": figure.title, "svg": Markup(figure.svg), "caption": figure.caption} for figure in drawn],
        overlays=overlays,
        style=Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8")),
        script=Markup((_TEMPLATES / "report.js").read_text(encoding="utf-8")),
    )
