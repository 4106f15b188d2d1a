"""Run Snakemake with one progress line instead of its whole output.

All arguments go to Snakemake. What it prints is kept in a file; where it fails, its last lines and the file's
name are shown.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from lstv import __version__

LOG = Path(".snakemake/quiet.log")
STEPS = re.compile(r"^(\d+) of (\d+) steps")
JOB = re.compile(r"^(?:local)?(?:Job|rule|checkpoint) \S+ ?(.*)$", re.IGNORECASE)
NOTHING = "Nothing to be done"
FAILURE = re.compile(r"^(Error|\w*Exception|\w*Error)\b")


class Line:
    """One line rewritten on a terminal; in a log, a line whenever a tenth more is done."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._tenth = -1
        self._start = time.monotonic()

    def show(self, done: int, total: int, what: str) -> None:
        text = f"{done:4d} of {total} steps, {time.monotonic() - self._start:3.0f} s  {what}"
        if self._terminal:
            width = os.get_terminal_size().columns
            print("\r" + text[: width - 1].ljust(width - 1), end="", flush=True)
        elif total and 10 * done // total > self._tenth:
            self._tenth = 10 * done // total
            print(text, flush=True)

    def end(self) -> None:
        if self._terminal:
            print()


def main(argv: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"usage: python {sys.argv[0]} [--version] [Snakemake's arguments]\n\n{__doc__}")
        return 0
    if arguments == ["--version"]:
        print(f"lstv-uncertainty {__version__}")
        return 0
    LOG.parent.mkdir(exist_ok=True)
    line, lines, done, total = Line(), [], 0, 0
    with (
        open(LOG, "w") as log,
        subprocess.Popen(
            ["snakemake", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        try:
            for text in process.stdout or ():
                log.write(text)
                lines.append(text.rstrip())
                if match := STEPS.match(text):
                    done, total = int(match[1]), int(match[2])
                    line.show(done, total, "")
                elif text.startswith("total "):
                    total = int(text.split()[-1])
                elif (match := JOB.match(text)) and total:
                    line.show(done, total, match[1])
        except KeyboardInterrupt:
            process.wait()  # Snakemake got the same signal and ends its jobs
            line.end()
            print("Interrupted; the same command resumes.")
            return 130
    line.end()
    if process.returncode:
        first = next((i for i, text in enumerate(lines) if FAILURE.match(text)), max(0, len(lines) - 20))
        print("\n".join(lines[first : first + 40]), file=sys.stderr)
        print(f"Snakemake failed; its whole output is in {LOG}.", file=sys.stderr)
    elif any(text.startswith(NOTHING) for text in lines):
        print("Everything is up to date.")
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
