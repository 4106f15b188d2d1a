"""Render the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from markupsafe import Markup

from lstv.base import atomic
from lstv.base.levels import LEVELS
from lstv.folder import passed_over
from lstv.localizer import heatmap_file
from lstv.report import candidates, content, inputs, overlay, plots, templating
from lstv.report.pages import picture
from lstv.report.palette import JUNCTION, LEVEL_COLOURS


def build(
    *,
    table: Path,
    sheet: Path,
    studies: Sequence[Path],
    heatmap_files: Sequence[Path],
    settings: Path | None,
    scan: Path | None = None,
    software: Path | None = None,
    out: Path,
    title: str,
    top: int,
    show_ids: bool,
    cohort: str = "",
    evaluation: str = "",
    pages: Path | None = None,
    pages_dir: Path | None = None,
) -> dict:
    """Write the report to ``out`` and return its content (see ``content.make``).

    ``pages`` is the list of the studies' own pages in ``pages_dir``: with them the report links to each, and shows its
    pictures in the full resolution of the series. The same input, made on the same day, gives the same bytes. Raises
    UserError where the input is unreadable or does not fit together.
    """
    series = picture.Series(pages, pages_dir)
    options = content.Options(title, cohort, _day(Path(table)), top, show_ids, Path(out), Path(table), series.pages)
    read = inputs.read(table, sheet, studies, settings, software)
    runs = [heatmap_file.read_run(path) for path in sorted(map(Path, heatmap_files))]
    page = content.make(read, runs, options)
    page["evaluation"] = evaluation
    page["passed_over"] = "" if scan is None else passed_over.sentence(scan)
    drawn = plots.draw(page["analysed"], page["thresholds"], page["places"])
    overlays = _overlays([*page["candidates"], *page["localizer_cards"]], read, heatmap_files, series)
    atomic.write_text(Path(out), render(page, drawn, overlays))
    return page


def _overlays(
    cards: list[dict], read: inputs.Inputs, files: Sequence[Path], series: picture.Series
) -> dict[str, overlay.Overlay]:
    """Overlays of the candidates by study id; a study that no heatmap file holds has none."""
    reasons = {card["study_id"]: card["reasons"] for card in cards}
    files_of = inputs.locate(files, reasons)
    result = {}
    for study_id, path in files_of.items():
        maps = heatmap_file.read_study(path, study_id, members=False)
        if maps.status == "ok":
            drawn = overlay.overlay(maps, read.studies.get(study_id, {}), reasons[study_id])
            seen = series.picture(study_id)
            result[study_id] = drawn if seen is None else replace(drawn, image=seen, is_whole=True)
    return result


def _day(table: Path) -> str:
    """The day, in UTC, on which the cohort table was written; empty where the file is not there."""
    try:
        written = datetime.fromtimestamp(table.stat().st_mtime, tz=UTC)
    except OSError:
        return ""
    return f"{written.day} {written:%B %Y}"


def render(page: dict, drawn: list[plots.Drawn], overlays: dict[str, overlay.Overlay]) -> str:
    """The page's HTML. Everything from outside is escaped; only the style, the script and our own drawings are not."""
    return templating.page(
        "report.html.j2",
        page=page,
        figures=[{"title": plot.title, "svg": Markup(plot.svg), "caption": plot.caption} for plot in drawn],
        overlays=overlays,
        measures=candidates.headings(),
        levels=LEVELS,
        junction=JUNCTION,
        colours=LEVEL_COLOURS,
    )
