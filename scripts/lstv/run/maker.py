"""Who makes a result: code, image, Python and libraries of the job that writes it, as results say it.

Nothing of it depends on when, where or by whom a job was started, so that the same code gives the same bytes.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any

from lstv.base import run_record
from lstv.run import revision, software

MEASURING = ("numpy", "scipy", "opencv-python-headless", "h5py")
"""Libraries that the metrics are computed with; inference adds PyTorch, whose version its record has, and the decoders."""


def here(code: Path, of_run: Path | None, libraries: Iterable[str]) -> dict[str, Any]:
    """``git_revision`` (with ``+changes``; None where it is not known), ``image`` (name and sha256; None without one),
    ``python`` and the versions of ``libraries`` (None for one that is not installed).

    ``of_run`` is what the workflow recorded of its run (software_versions.yml). It knows the image, and spares every job a
    call of git, which an image need not hold; where the code is seen to be of another commit by now, git is asked again.
    """
    record = run_record.read(of_run)
    known = record
    # in a container the history may be out of sight, as that of a worktree is
    if "git_revision" not in record or revision.commit(code) not in (None, record["git_revision"]):
        known = revision.of(code)
    return {
        "git_revision": revision.text(known),
        "image": _image(record.get("image")),
        "python": platform.python_version(),
        "libraries": software.versions(libraries),
    }


def _image(found: object) -> dict[str, Any] | None:
    """Its name without the folder: that is of a site or a user, and an image that was moved is the same."""
    if not isinstance(found, Mapping) or not found.get("name"):
        return None
    name = str(found["name"]).removeprefix("file://")
    return {"name": name if "://" in name else PurePath(name).name, "sha256": found.get("sha256")}
