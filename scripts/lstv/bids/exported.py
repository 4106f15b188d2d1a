"""What became of the studies that were written as BIDS, and the manifest of a batch that says so. Each plan reads manifests,
so nothing here imports what reads images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from lstv.base import atomic, tables
from lstv.base.errors import UserError


@dataclass(frozen=True)
class Exported:
    """What became of a study: ``status`` ok, failed or excluded with its ``reason``; where ok the image's path in the
    folder, its size and sha256."""

    study_id: str
    status: str
    reason: str = ""
    image: str = ""
    bytes: int | str = ""
    sha256: str = ""
    split: str = ""


COLUMNS = tuple(Exported.__dataclass_fields__)


def write_manifest(exported: Iterable[Exported], path: Path) -> None:
    """Write what became of each study, CSV."""
    atomic.write_csv(path, COLUMNS, map(asdict, exported))


def altered(manifest: Path, folder: Path) -> bool:
    """Whether an image that a manifest names is gone or of another size; False where there is no manifest."""
    try:
        rows = tables.read_table(manifest, COLUMNS)
    except UserError:
        return manifest.exists()
    for row in rows:
        try:
            if row["image"] and (folder / row["image"]).stat().st_size != int(row["bytes"]):
                return True
        except (OSError, ValueError):
            return True
    return False


def read_manifests(paths: Iterable[Path]) -> list[Exported]:
    """What ``write_manifest`` wrote. Raises UserError where a file is not that."""
    return [
        Exported(**{name: row[name] for name in COLUMNS}) for path in paths for row in tables.read_table(path, COLUMNS)
    ]
