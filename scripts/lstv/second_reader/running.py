"""A program run on many studies, one after the other; masks that are there are taken as they are, unless they were made here
of another image or by another command or with other weights.

Standard library only, as in ``programs``.
"""

from __future__ import annotations

import csv
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lstv.base import atomic
from lstv.base.checksums import file_digest
from lstv.base.errors import UserError, cause
from lstv.second_reader import outcomes, programs
from lstv.second_reader.files import VERTEBRAE, written_names
from lstv.second_reader.programs import Program

TAKEN, MADE, NOT_MADE = "taken", "made", "failed"
COLUMNS = ("study_id", "status", "reason", "seconds")
"""Of the manifest."""


def in_part(study_id: str, part: int, parts: int) -> bool:
    """Whether a study is of this part of ``parts`` (from 1): by the hash of its id, so that others do not move it."""
    return int(hashlib.sha256(study_id.encode()).hexdigest(), 16) % parts == part - 1


def images_of(manifest: Path) -> dict[str, dict[str, str]]:
    """Rows of the manifest of exported images by study id. Raises UserError where it cannot be read."""
    try:
        with open(manifest, newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        return {row["study_id"]: row for row in rows}
    except (OSError, KeyError, csv.Error, UnicodeDecodeError) as error:
        raise UserError(
            manifest, f" cannot be read as the list of exported images ({cause(error)}); make it again."
        ) from error


def run_all(
    program: Program,
    images: dict[str, dict[str, str]],
    folder: Path,
    masks: Path,
    logs: Path,
    step: Callable[[str, str, str], None],
    made: Mapping[str, Any],
) -> list[dict[str, str | float | None]]:
    """Run the program on every image that has no mask yet, or one made otherwise; returns the rows of the manifest.

    ``images``: ``image`` (path in ``folder``), ``sha256``, ``status`` and ``reason`` by study id; ``step`` hears study,
    status and reason; ``made`` is the provenance of outcomes.
    """
    rows: list[dict[str, str | float | None]] = []
    for study_id, exported in images.items():
        status, reason, seconds = _one(program, study_id, exported, folder, masks, logs, made)
        rows.append({"study_id": study_id, "status": status, "reason": reason, "seconds": seconds})
        step(study_id, status, reason)
    return rows


def _one(
    program: Program,
    study_id: str,
    exported: dict[str, str],
    folder: Path,
    masks: Path,
    logs: Path,
    made: Mapping[str, Any],
) -> tuple[str, str, float | None]:
    made_of = {
        "command": program.command,
        "models": str(program.models or ""),
        "image_sha256": exported.get("sha256", ""),
    }
    if _is_there(program.name, study_id, made_of, masks):
        return TAKEN, "", None
    if exported["status"] != "ok" or not exported["image"]:
        reason = f"there is no image of the study: {exported['reason'] or 'it was not exported'}."
        failed = {"status": outcomes.FAILED, "reason": reason, **made_of, "masks": {}, "provenance": made}
        outcomes.write(masks, study_id, failed)
        return NOT_MADE, reason, None
    image = (folder / exported["image"]).absolute()
    if not image.is_file():
        raise UserError(image, " does not exist, though the list of exported images names it; export it again.")
    atomic.remove_leftovers(masks)
    with tempfile.TemporaryDirectory(prefix="second-reader-") as name:
        work = Path(name)
        ended = programs.run(program, image, work, logs / f"{study_id}.log")
        left = {} if ended.reason else programs.masks_made(program.name, work, image)
        names = written_names(program.name, study_id)
        named = {names[kind]: path for kind, path in left.items()}
        # before the masks: if this is ended between the two, they are known as ours, and as not complete
        outcomes.write(
            masks,
            study_id,
            {
                "status": outcomes.FAILED if ended.reason else outcomes.DONE,
                "reason": ended.reason,
                **made_of,
                "masks": {target: file_digest(path) for target, path in named.items()},
                "seconds": round(ended.seconds, 1),
                "provenance": made,
            },
        )
        for target, path in named.items():
            with atomic.replacing(masks / target) as temporary:
                shutil.copyfile(path, temporary)
    return (NOT_MADE if ended.reason else MADE), ended.reason, round(ended.seconds, 1)


def _is_there(program: str, study_id: str, made_of: Mapping[str, str], masks: Path) -> bool:
    """Whether there is a mask to be taken: one that a user put there, or one made here of this image, command and weights.

    Masks made here of others are removed, with their outcome, so that nothing reads them if the program fails now.
    """
    names = written_names(program, study_id)
    mask = masks / names[VERTEBRAE]
    outcome = outcomes.read(masks, study_id)
    if outcome is None:
        return mask.is_file()
    written = outcome.get("masks")
    if isinstance(written, dict):
        done = outcome["status"] == outcomes.DONE and all((masks / name).is_file() for name in (mask.name, *written))
        if done and all(outcome.get(key) == value for key, value in made_of.items()):
            return True
        if mask.is_file() and file_digest(mask) != written.get(mask.name):
            outcomes.remove(masks, study_id)  # it tells of another mask than the user's
            return True
    for name in names.values():
        path = masks / name
        # an outcome that does not say what was written: whatever lies beside it
        if path.is_file() and (not isinstance(written, dict) or file_digest(path) == written.get(name)):
            path.unlink()
    outcomes.remove(masks, study_id)
    return False
