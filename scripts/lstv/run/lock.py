"""One run at a time in a project folder, with a lock that cannot be left behind."""

from __future__ import annotations

import errno
import fcntl
import functools
import os
import socket
import sys
from pathlib import Path

from lstv.base.errors import UserError


@functools.cache
def hold(path: Path) -> None:
    """Lock ``path`` for as long as this process lives; the kernel releases it however the process ends. Another call
    in this process does nothing.

    Raises UserError where another run holds it, or where the file cannot be made. On a file system without locks nothing
    is locked, and a line on standard error says so.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # the descriptor stays open on purpose: closing it would release the lock
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o664)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written ({error.strerror}): run the workflow in a folder of your own, or remove the file "
            "if its owner's run has ended."
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(descriptor, 200).decode(errors="replace").strip() or "another process"
        os.close(descriptor)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise UserError(
                f"{holder} is running the workflow in this folder: wait for it, or stop it first."
            ) from error
        print(
            f"Note: this file system has no locks ({error.strerror}), so nothing would stop a second run in this folder.",
            file=sys.stderr,
        )
        return
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
