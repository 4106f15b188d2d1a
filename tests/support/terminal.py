"""A program run on a pseudo-terminal, as a person sees it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
import termios
import threading
from collections.abc import Mapping, Sequence


def shown(command: Sequence[object], env: Mapping[str, str] | None = None) -> tuple[subprocess.CompletedProcess, str]:
    """Run with standard error on a terminal of 24 lines and 100 columns; the process, and all that the terminal was sent."""
    leader, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 24, 100, 0, 0))
    pieces: list[bytes] = []

    def read() -> None:
        with contextlib.suppress(OSError):  # the end of a pseudo-terminal is an error on Linux
            while piece := os.read(leader, 1 << 16):
                pieces.append(piece)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        words = [str(word) for word in command]
        done = subprocess.run(words, env=env, stdout=subprocess.PIPE, stderr=terminal, text=True, timeout=120)
    finally:
        os.close(terminal)
        reader.join()
        os.close(leader)
    return done, b"".join(pieces).decode()
