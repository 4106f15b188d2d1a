"""Where the user's Kaggle credentials are, read once and never shown.

The order is that of the official client: access token, then user name and key, then a browser login. Every folder is
only read; nothing is created or written, so HOME may be read-only or absent.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lstv.base.errors import UserError
from lstv_kaggle.sources import SETTINGS_PAGE


class CredentialsError(UserError):
    """Credentials are missing, unreadable or refused."""


@dataclass(frozen=True)
class Credentials:
    """``origin`` says where they were found; the secrets are kept out of ``repr``.

    Exactly one of ``token``, (``username``, ``key``) and ``refresh_token`` is set.
    """

    origin: str
    username: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)

    def redact(self, text: str) -> str:
        """The text without any of the secrets, and without the form in which a user name and key are sent (RFC 7617)."""
        pair = base64.b64encode(f"{self.username}:{self.key}".encode()).decode() if self.key else None
        for secret in (self.key, self.token, self.refresh_token, pair):
            if secret:
                text = text.replace(secret, "***")
        return text


MISSING = (
    f"no Kaggle credentials were found; make an API token at {SETTINGS_PAGE} and set KAGGLE_API_TOKEN, or put kaggle.json "
    "into ~/.kaggle or into the folder that KAGGLE_CONFIG_DIR names"
)


_TOKEN_FILES, _KEY_FILES, _LOGIN_FILES = ("access_token", "access_token.txt"), ("kaggle.json",), ("credentials.json",)


def find(environment: Mapping[str, str] = os.environ) -> Credentials | None:
    """The first credentials found, or None.

    Looks at KAGGLE_API_TOKEN (a token or the path of a file that holds one), ``access_token``, KAGGLE_USERNAME with
    KAGGLE_KEY, ``kaggle.json`` and ``credentials.json`` (``kaggle auth login``); files in KAGGLE_CONFIG_DIR, in ~/.kaggle
    and in $XDG_CONFIG_HOME/kaggle. Raises CredentialsError where something is there but cannot be used.
    """
    locations = folders(environment)
    return (
        _token_variable(environment)
        or _first(locations, _TOKEN_FILES, _token_file)
        or _key_variables(environment)
        or _first(locations, _KEY_FILES, _key_file)
        or _first(locations, _LOGIN_FILES, _login_file)
    )


def folder_in_use(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder of the file that ``find`` would take, by the names there are; None where it takes none. Nothing is read."""
    variables = any(environment.get(name, "").strip() for name in ("KAGGLE_USERNAME", "KAGGLE_KEY"))
    if environment.get("KAGGLE_API_TOKEN", "").strip():
        return None
    for names in (_TOKEN_FILES, _KEY_FILES, _LOGIN_FILES):
        if names is not _TOKEN_FILES and variables:
            return None
        for folder in folders(environment):
            if any(_may_be_there(folder / name) for name in names):
                return folder
    return None


def _may_be_there(path: Path) -> bool:
    try:
        path.stat()
    except PermissionError:
        return True  # reading it will say so
    except OSError:
        return False
    return True


def folders(environment: Mapping[str, str]) -> list[Path]:
    """Where files of credentials are looked for, in this order, whether or not these folders exist."""
    found = []
    if environment.get("KAGGLE_CONFIG_DIR"):
        found.append(Path(environment["KAGGLE_CONFIG_DIR"]))
    home = environment.get("HOME")
    if home:
        found.append(Path(home) / ".kaggle")
    if environment.get("XDG_CONFIG_HOME"):
        found.append(Path(environment["XDG_CONFIG_HOME"]) / "kaggle")
    elif home:
        found.append(Path(home) / ".config" / "kaggle")
    return found


def names_a_file(token: str) -> bool:
    """Whether a value of KAGGLE_API_TOKEN is the path of a file that holds the token."""
    return "/" in token or token.startswith("~")


def _first(
    folders: list[Path], names: tuple[str, ...], read: Callable[[Path, str], Credentials | None]
) -> Credentials | None:
    for folder in folders:
        for name in names:
            path = folder / name
            try:
                text = path.read_text(encoding="utf-8-sig")
            except (FileNotFoundError, NotADirectoryError):
                continue
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is not a text file"
                raise CredentialsError(
                    f"{path} cannot be read ({reason}); correct its permissions, or set KAGGLE_API_TOKEN instead."
                ) from None
            found = read(path, text)
            if found is not None:
                return found
    return None


def _token_variable(environment: Mapping[str, str]) -> Credentials | None:
    value = environment.get("KAGGLE_API_TOKEN", "").strip()
    if not value:
        return None
    if names_a_file(value):
        path = Path(os.path.expanduser(value))
        if not path.is_file():
            raise CredentialsError("KAGGLE_API_TOKEN names a file that does not exist; correct the path.")
        return _first([path.parent], (path.name,), _token_file)
    return Credentials("KAGGLE_API_TOKEN", token=_sendable(value, "KAGGLE_API_TOKEN"))


def _token_file(path: Path, text: str) -> Credentials:
    if not text.strip():
        raise CredentialsError(f"{path} is empty; put the API token from {SETTINGS_PAGE} into it.")
    return Credentials(str(path), token=_sendable(text.strip(), str(path)))


def _key_variables(environment: Mapping[str, str]) -> Credentials | None:
    username, key = (environment.get(name, "").strip() for name in ("KAGGLE_USERNAME", "KAGGLE_KEY"))
    if not username and not key:
        return None
    if not username or not key:
        absent = "KAGGLE_KEY" if username else "KAGGLE_USERNAME"
        raise CredentialsError(
            f"{absent} is not set, but the other one of KAGGLE_USERNAME and KAGGLE_KEY is; set both or neither."
        )
    origin = "KAGGLE_USERNAME and KAGGLE_KEY"
    return Credentials(origin, username=_sendable(username, origin), key=_sendable(key, origin))


def _key_file(path: Path, text: str) -> Credentials | None:
    content = _json(path, text)
    username, key = content.get("username"), content.get("key")
    if "username" not in content and "key" not in content and content:
        return None  # the official client's settings (`kaggle config set`) lie in this file too
    if not (isinstance(username, str) and isinstance(key, str) and username.strip() and key.strip()):
        raise CredentialsError(_malformed(path))
    origin = str(path)
    return Credentials(origin, username=_sendable(username.strip(), origin), key=_sendable(key.strip(), origin))


def _login_file(path: Path, text: str) -> Credentials:
    content = _json(path, text)
    token, refresh = content.get("access_token"), content.get("refresh_token")
    if isinstance(token, str) and token and _still_valid(content.get("access_token_expiration")):
        return Credentials(str(path), token=_sendable(token, str(path)))
    if isinstance(refresh, str) and refresh:
        return Credentials(str(path), refresh_token=_sendable(refresh, str(path)))
    raise CredentialsError(f"{path} has no login; run `kaggle auth login` again, or set KAGGLE_API_TOKEN.")


def _still_valid(expiration: object) -> bool:
    """Whether the time is more than an hour away, so that a long download does not outlive its token."""
    try:
        moment = datetime.fromisoformat(str(expiration))
    except ValueError:
        return False
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment > datetime.now(UTC) + timedelta(hours=1)


def _json(path: Path, text: str) -> dict:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise CredentialsError(_malformed(path)) from None
    if not isinstance(content, dict):
        raise CredentialsError(_malformed(path))
    return content


def _malformed(path: Path) -> str:
    expected = '{"username": "...", "key": "..."}' if path.name == "kaggle.json" else "written by `kaggle auth login`"
    return f"{path} is malformed (expected: {expected}); download it again from {SETTINGS_PAGE} or remove it."


def _sendable(value: str, origin: str) -> str:
    """The value itself, if it can stand in a HTTP header; a library's complaint about one that cannot would quote it."""
    if not value.isascii() or not value.isprintable() or " " in value:
        raise CredentialsError(f"the Kaggle credentials in {origin} hold characters that none has; copy them again.")
    return value
