"""Run Snakemake with one progress line in place of its output: steps, a clock, and about how long is left.

All arguments go to Snakemake. What it prints is kept in a file; where it fails, its last lines and the file's
name are shown. With -n the counts of the plan are shown, and nothing is run.
"""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from lstv import __version__
from lstv.base import cli
from lstv.base.errors import UserError
from lstv.run import interruption, summary
from lstv.run.targets import is_dry_run, settings_files
from lstv.run.watch import Run

LOG = Path(".snakemake/quiet.log")
TICK = 1.0
"""Seconds between two drawings of the line."""


class Line:
    """One line rewritten on a terminal; in a log, a line whenever a tenth more is done."""

    def __init__(self) -> None:
        self._tenth = -1
        self._bar = tqdm(bar_format="{desc}", dynamic_ncols=True) if sys.stderr.isatty() else None

    def show(self, run: Run, now: float) -> None:
        if self._bar is not None:
            self._bar.set_description_str(run.said(now))
        elif run.total and 10 * run.done // run.total > self._tenth:
            self._tenth = 10 * run.done // run.total
            print(run.said(now), flush=True)

    def note(self, text: str) -> None:
        tqdm.write(text, file=sys.stderr)

    def end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def main(argv: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"usage: python {sys.argv[0]} [--version] [Snakemake's arguments]\n\n{__doc__}")
        return 0
    if arguments == ["--version"]:
        print(f"lstv-uncertainty {__version__}")
        return 0
    absent = next((path for path in settings_files(arguments) if not path.is_file()), None)
    if absent is not None:
        raise UserError(
            f"the settings file {absent} does not exist; check the path, or copy one of config/*.yaml there."
        )
    LOG.parent.mkdir(exist_ok=True)
    line, lines, last = Line(), [], []
    began = time.time()
    run = Run(time.monotonic(), lambda batch: _log_of(batch, began))
    command = ["snakemake", *arguments]
    with (
        open(LOG, "w") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process,
    ):
        said = _lines(process)
        try:
            for stream, text in said:
                now = time.monotonic()
                if text:
                    log.write(text)
                    lines.append(text.rstrip())
                    if run.line(text, now):
                        line.note(text.rstrip())
                    elif stream is process.stdout and not is_dry_run(arguments):
                        last.append(text.rstrip())  # what the workflow itself says at its end
                if not is_dry_run(arguments):
                    line.show(run, now)
        except KeyboardInterrupt:
            line.note("Stopping: Snakemake got the same signal and ends its jobs.")
            with suppress(KeyboardInterrupt):
                process.wait()
            line.end()
            print(interruption.SENTENCE)
            return 130
    line.end()
    if process.returncode:
        _show_failure(run.failure_in(lines))
    elif is_dry_run(arguments):
        print(run.plan())
    elif run.nothing:
        print("Everything is up to date.")
        last = [summary.of_results(run.results) or ""]
    if last:
        print("\n".join(filter(None, last)))
    return process.returncode


def _lines(process: subprocess.Popen[str]) -> Any:
    """Each line that the process prints with the stream it came from; every ``TICK`` seconds without one, an empty text."""
    said: queue.Queue[tuple[IO[str] | None, str | None]] = queue.Queue()

    def read(stream: IO[str]) -> None:
        for text in stream:
            said.put((stream, text))
        said.put((stream, None))

    streams = [stream for stream in (process.stdout, process.stderr) if stream is not None]
    for stream in streams:
        threading.Thread(target=read, args=(stream,), daemon=True).start()
    open_streams = len(streams)
    while open_streams:
        try:
            origin, text = said.get(timeout=TICK)
        except queue.Empty:
            yield None, ""
            continue
        if text is None:
            open_streams -= 1
        else:
            yield origin, text


def _log_of(batch: str, since: float) -> str:
    """The text of a batch's inference log that this run writes; empty where there is none."""
    for path in Path("results").glob(f"*/logs/infer_heatmaps/{batch}.log"):
        with suppress(OSError):
            if path.stat().st_mtime >= since:
                return path.read_text(encoding="utf-8", errors="replace")[-4000:]
    return ""


def _show_failure(lines: list[str]) -> None:
    print("\n".join(lines), file=sys.stderr)
    print(
        f"Snakemake failed; its whole output is in {LOG}. After a correction the same command goes on.", file=sys.stderr
    )


if __name__ == "__main__":
    sys.exit(cli.run(main))
