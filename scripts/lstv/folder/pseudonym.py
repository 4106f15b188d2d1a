"""Ids that say nothing about the patient: keyed hashes of DICOM UIDs.

A plain hash of a UID can be undone by whoever holds a list of UIDs (every PACS does), so the hash is keyed (HMAC, RFC
2104, with SHA-256) and the key stays with the user, outside the results. The same key gives the same ids again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
import stat
from pathlib import Path
from typing import Protocol

from lstv.base.errors import UserError, cause

KEY_BYTES = 32
DIGITS = 12
"""Base32 digits kept: 60 bits, so that among 100,000 studies a collision has a probability of 4e-9 (and is detected)."""
LONGEST_UID = 64
"""PS3.5 section 9.1."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


class Naming(Protocol):
    """Turns UIDs into ids; both methods raise UserError where two UIDs would get one id."""

    pseudonymous: bool

    def study(self, uid: str) -> str: ...

    def series(self, uid: str) -> str: ...


class Pseudonyms:
    """Ids such as ``st-k4n7q2m5xw3a`` (study) and ``se-...`` (series) from ``key`` (bytes)."""

    pseudonymous = True

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._owner: dict[str, str] = {}

    def study(self, uid: str) -> str:
        return self._id("st", uid)

    def series(self, uid: str) -> str:
        return self._id("se", uid)

    def _id(self, kind: str, uid: str) -> str:
        digest = hmac.new(self._key, f"{kind}:{uid}".encode(), hashlib.sha256).digest()
        short = base64.b32encode(digest).decode("ascii").lower()[:DIGITS]
        return _claim(self._owner, f"{kind}-{short}", uid)


class Uids:
    """The UIDs themselves; characters that a file name may not have become "_"."""

    pseudonymous = False

    def __init__(self) -> None:
        self._studies: dict[str, str] = {}
        self._series: dict[str, str] = {}

    def study(self, uid: str) -> str:
        return _claim(self._studies, _file_name(uid), uid)

    def series(self, uid: str) -> str:
        return _claim(self._series, _file_name(uid), uid)


class Labels:
    """The names of folders and files as they are; one that cannot be an id, or is longer than LONGEST_UID, gets its
    beginning with a part of its hash instead, so that two such names stay two ids."""

    pseudonymous = False

    def __init__(self) -> None:
        self._studies: dict[str, str] = {}
        self._series: dict[str, str] = {}

    def study(self, uid: str) -> str:
        return self._id(self._studies, uid)

    def series(self, uid: str) -> str:
        return self._id(self._series, uid)

    def _id(self, owner: dict[str, str], label: str) -> str:
        name = _file_name(label)
        if name != label and len(label) <= LONGEST_UID:
            name = _shortened(name, label)
        if owner.setdefault(name, label) != label:
            raise UserError(f"{label!r} and {owner[name]!r} get the same id {name}; rename one of them.")
        return name


def _file_name(uid: str) -> str:
    """A UID as part of file names: what stands in its place may be any text of any length."""
    name = _UNSAFE.sub("_", uid)
    if name[0] in ".-":
        name = f"_{name[1:]}"
    return _shortened(name, uid) if len(name) > LONGEST_UID else name


def _shortened(name: str, uid: str) -> str:
    digest = hashlib.sha256(uid.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{name[:40]}_{digest[:12]}"


def _claim(owner: dict[str, str], name: str, uid: str) -> str:
    if owner.setdefault(name, uid) != uid:
        raise UserError(
            f"two different UIDs get the id {name}; use another key file (pseudonyms) or correct the files (UIDs)."
        )
    return name


def load_key(path: Path) -> tuple[bytes, str]:
    """Read the key file, or create it (mode 0600) where there is none; the key and a warning ("" if all is well).

    Raises UserError where it cannot be read or written or does not hold a key.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            text = path.read_text("ascii").strip()
        else:
            text = secrets.token_hex(KEY_BYTES)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(text + "\n")
        mode = stat.S_IMODE(path.stat().st_mode)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            path, f" cannot be read or created as the key file ({cause(error)}); name a place where you can write."
        ) from error
    if not re.fullmatch(f"[0-9a-f]{{{2 * KEY_BYTES}}}", text):
        raise UserError(
            f"key file {path} does not hold a key of {2 * KEY_BYTES} hexadecimal digits; restore it from a copy, or move it "
            "away to start with new ids."
        )
    warning = f"key file {path} can be read by others; run: chmod 600 {path}" if mode & 0o077 else ""
    return bytes.fromhex(text), warning
