"""The folder for what is private and passes: uploads, and results until they are looked at. It lies in $TMPDIR and is gone
when the app ends; what a killed app left is removed when the next one starts."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from lstv.base.atomic import explained
from lstv.base.errors import UserError

_PREFIX = "session-"
_LOCK = "lock"


class Workspace:
    """A context: ``folder`` is this app's own, readable by its user only, for as long as the context lasts."""

    def __init__(self, temporary: Path | None = None) -> None:
        above = Path(temporary or tempfile.gettempdir())
        self._home = above / f"lstv-review-{os.getuid()}"

    def __enter__(self) -> Workspace:
        with explained(self._home):
            self._home.mkdir(mode=0o700, exist_ok=True)
            found = self._home.lstat()
            # in a folder where everybody may write, somebody else may have been here first
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
                raise UserError(
                    self._home,
                    " is not a private folder of this user; remove it, or set TMPDIR to a folder of your own.",
                )
            remove_abandoned(self._home)
            self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._home))
            self._lock = _locked(self.folder)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
        with suppress(OSError):
            self._home.rmdir()  # only where no other app is at work


def remove_abandoned(home: Path) -> list[Path]:
    """Remove the folders of apps that have ended, however they ended, and return them: an app that lives holds the lock of
    its folder, which the system releases with the process."""
    removed = []
    for folder in sorted(home.glob(f"{_PREFIX}*")):
        lock = _locked(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
            removed.append(folder)
    return removed


def _locked(folder: Path) -> int | None:
    """A descriptor that holds the folder's lock until it is closed; None where another process holds it."""
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
