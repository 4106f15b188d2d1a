"""Digests of files, and the sha256 that was recorded beside one when it was fetched (the form of ``sha256sum``)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lstv.base.errors import UserError, cause


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Hexadecimal digest of a file's bytes."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def of_settings(settings: Mapping[str, Any]) -> str:
    """The sha256 of settings as JSON with sorted keys, so whatever the order in which they were given."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()


def sha256(path: Path) -> str | None:
    """What ``<path>.sha256`` says; None where there is no such record. Raises UserError for a record that holds none."""
    record = Path(f"{path}.sha256")
    try:
        text = record.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{record} cannot be read ({cause(error)}); delete it to record the file anew.") from error
    digest = text.split(maxsplit=1)[0].lower() if text.strip() else ""
    if re.fullmatch(r"[0-9a-f]{64}", digest) is None:
        raise UserError(f"{record} does not contain a sha256; delete it to record the file anew.")
    return digest


def verify(path: Path) -> None:
    """Raise UserError where a file is not the one that was recorded; a file without a record passes."""
    expected = sha256(path)
    if expected is not None and file_digest(path) != expected:
        raise UserError(
            f"{path} is not the file whose sha256 is recorded in {path}.sha256: restore or fetch it again, or, if the "
            "change is intended, delete that record."
        )
