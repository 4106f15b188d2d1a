"""One run at a time in a project folder, with a lock that cannot be left behind."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from pathlib import Path

from lstv.errors import UserError


def hold(path: Path) -> None:
    """Lock ``path`` for as long as this process lives; the kernel releases it however the process ends.

    Raises UserError where another run holds it. On a file system without locks nothing is locked.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # the descriptor stays open on purpose: closing it would release the lock
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(descriptor, 200).decode(errors="replace").strip() or "another process"
        os.close(descriptor)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise UserError(
                f"{holder} is running the workflow in this folder: wait for it, or stop it first."
            ) from error
        return  # this file system has no locks
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
