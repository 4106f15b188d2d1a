"""Who makes a result: code, image, Python and libraries of the job that writes it, as results say it.

Nothing of it depends on when, where or by whom a job was started, so that the same code gives the same bytes. The standard
library is enough, because the second readers' environments may have nothing else; what is then not known is null.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any

from lstv import __version__
from lstv.base import checksums, installed, made_by, run_record
from lstv.base.shareable import shareable
from lstv.run import revision

CODE = Path(__file__).parents[3]
"""Where this software is."""

MEASURING = ("numpy", "scipy", "opencv-python-headless", "h5py")
"""Libraries that the metrics are computed with."""

DECODERS = (
    "nibabel",
    "pydicom",
    "python-gdcm",
    "pylibjpeg",
    "pylibjpeg-libjpeg",
    "pylibjpeg-openjpeg",
    "pylibjpeg-rle",
)
"""Libraries that read images."""

INFERRING = (*MEASURING, *DECODERS)
"""Libraries that heatmaps are made with, beside PyTorch, whose version the record of the inference has."""


def add_option_to(parser: argparse.ArgumentParser) -> None:
    """Add ``--software``, which is ``of_run`` here."""
    parser.add_argument(
        "--software", type=Path, metavar="YAML", help="what the workflow recorded of the run, if it did"
    )


def provenance(
    of_run: Path | None,
    libraries: Iterable[str],
    settings: Mapping[str, Any],
    made_of: Mapping[str, Path | None] | None = None,
    *,
    reader: str | None = None,
) -> dict[str, Any]:
    """What a JSON file says in ``provenance`` (``lstv.base.made_by.PROVENANCE``): what ``here`` says, the ``settings`` on
    which its content depends with their digest, and the sha256 of the files that it is made of, by what they are; one that
    is None is left out."""
    configuration = {key: _shown(value) for key, value in settings.items()}
    return {
        "software_version": __version__,
        **here(of_run, libraries, reader=reader),
        "configuration": configuration,
        "configuration_sha256": checksums.of_settings(configuration),
        "made_of": {name: checksums.file_digest(path) for name, path in (made_of or {}).items() if path is not None},
    }


def _shown(value: Any) -> Any:
    """A setting without the folders in it, at whatever depth, which name users and patients."""
    if isinstance(value, Mapping):
        return {key: _shown(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shown(item) for item in value]
    if isinstance(value, PurePath):
        return value.name
    return shareable(value) if isinstance(value, str) else value


def here(
    of_run: Path | None, libraries: Iterable[str], *, code: Path = CODE, reader: str | None = None
) -> dict[str, Any]:
    """``git_revision`` of ``code`` (with ``+changes``; None where it is not known), ``image`` (name and sha256; None without
    one), ``python`` and the versions of ``libraries`` (None for one that is not installed).

    ``of_run`` is what the workflow recorded of its run (software_versions.yml). It knows the image, which is another one for
    the program of a second ``reader``, and spares every job a call of git, which an image need not hold; where the code is
    seen to be of another commit by now, git is asked again.
    """
    record = run_record.read(of_run)
    known = record
    # in a container the history may be out of sight, as that of a worktree is
    if "git_revision" not in record or revision.commit(code) not in (None, record["git_revision"]):
        known = revision.of(code)
    images = record.get("second_reader_images")
    image = record.get("image") if reader is None else images.get(reader) if isinstance(images, Mapping) else None
    return {
        "git_revision": revision.text(known),
        "image": _image(image),
        "python": platform.python_version(),
        "libraries": installed.versions(libraries),
    }


def _image(found: object) -> dict[str, Any] | None:
    if not isinstance(found, Mapping) or not found.get("name"):
        return None
    return {"name": made_by.image_name(str(found["name"])), "sha256": found.get("sha256")}
