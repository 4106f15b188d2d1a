"""How SPINEPS and TotalSpineSeg are run on one image, and which of the files that they leave are the masks.

Sources: SPINEPS 2.1.3 (README, ``entrypoint.py``, ``seg_run.py``): ``spineps sample -i IMAGE`` writes into a folder beside
the image, the masks as ``*_seg-vert_msk.nii.gz`` and ``*_seg-spine_msk.nii.gz``; weights in $SPINEPS_SEGMENTOR_MODELS.
TotalSpineSeg 20260807 (README, ``inference.py``): ``totalspineseg IMAGE FOLDER`` writes ``FOLDER/step2_output/IMAGE``;
weights in $TOTALSPINESEG_DATA.

This file is run by the Python of the programs' own environments, so it and what it imports need the standard library only.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from lstv.base.errors import Setting, UserError
from lstv.second_reader.files import PARTS, VERTEBRAE
from lstv.second_reader.numbering import PROGRAMS, SPINEPS, TOTALSPINESEG

COMMAND = Setting("command", "the program's command")
MODELS = {SPINEPS: "SPINEPS_SEGMENTOR_MODELS", TOTALSPINESEG: "TOTALSPINESEG_DATA"}
"""Variables by which the programs find their weights."""
DISTRIBUTIONS = {SPINEPS: ("spineps", "TPTBox", "torch"), TOTALSPINESEG: ("totalspineseg", "nnunetv2", "torch")}
"""Distributions whose versions say what made a mask, by program."""
PLACEHOLDERS = ("image", "out", "models")
_LAST_CHARACTERS = 300
_LAST_WAIT = 10.0
"""Seconds in which a command that was killed is gone."""


@dataclass(frozen=True)
class Program:
    """A program as it is configured: ``command`` with {image}, {out} and {models}; ``minutes`` it may take a study."""

    name: str
    command: str
    models: Path | None
    minutes: float

    def words(self, image: Path, out: Path) -> list[str]:
        """The command's words for one image. Raises UserError where it names something else in braces, or no image."""
        values = {"image": str(image), "out": str(out), "models": str(self.models or "")}
        try:
            words = [word.format_map(values) for word in shlex.split(self.command)]
        except (KeyError, ValueError, IndexError, AttributeError) as error:
            raise UserError(
                COMMAND,
                f" is {self.command!r}, which cannot be filled in ({error}); use {{image}}, {{out}} and {{models}}.",
            ) from error
        if "{image}" not in self.command or not words:
            raise UserError(COMMAND, f" is {self.command!r}, which does not name the {{image}}.")
        if "{models}" in self.command and self.models is None:
            raise UserError(COMMAND, " uses {models}, but no folder of weights is set; name it.")
        return words


def masks_made(program: str, out: Path, image: Path) -> dict[str, Path]:
    """The masks in the folder ``out`` after a run on ``image``, by their kind as in ``files``; none = there is no mask."""
    if program == TOTALSPINESEG:
        made = out / "step2_output" / image.name
        return {VERTEBRAE: made} if made.is_file() else {}
    found = {}
    for kind in (VERTEBRAE, PARTS):
        paths = sorted(path for path in out.rglob(f"*_seg-{kind}_msk.nii.gz") if path.is_file())
        if paths:
            found[kind] = paths[0]
    return found if VERTEBRAE in found else {}


@dataclass(frozen=True)
class Ended:
    """How a run ended: ``reason`` why there is no mask, empty where there is one."""

    reason: str
    seconds: float


def run(program: Program, image: Path, work: Path, log: Path) -> Ended:
    """Run a program on an image in the empty folder ``work``; what it prints goes to ``log``.

    The image is copied there, for SPINEPS writes beside it. Raises UserError where the command cannot be started at all.
    """
    called = PROGRAMS[program.name]
    own = work / image.name
    shutil.copyfile(image, own)
    words = program.words(own, work)
    begin = time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(log, "wb") as stream:
            status = _ended(words, work, _environment(program, os.environ), stream, 60 * program.minutes)
    except subprocess.TimeoutExpired:
        minutes = f"{program.minutes:g}"
        return Ended(f"{called} was ended after {minutes} minutes; its output: {log}.", time.monotonic() - begin)
    except OSError as error:
        raise UserError(
            COMMAND, f" cannot be started: {words[0]} ({error.strerror}); name the program as it is called there."
        ) from error
    seconds = time.monotonic() - begin
    if status != 0:
        return Ended(f"{called} ended with status {status}{_last_words(log)}; its output: {log}.", seconds)
    if not masks_made(program.name, work, own):
        return Ended(f"{called} ended without a mask{_last_words(log)}; its output: {log}.", seconds)
    return Ended("", seconds)


def _ended(words: list[str], work: Path, environment: Mapping[str, str], output: IO[bytes], seconds: float) -> int:
    """The status with which a command ends. Whatever ends the waiting ends the command with all that it started: a process
    of it left behind would keep the GPU's memory. Raises TimeoutExpired, OSError where it cannot be started, and SystemExit
    where this process was asked to end meanwhile."""
    asked: list[int] = []
    process: subprocess.Popen[bytes] | None = None

    def end(number: int, _: FrameType | None) -> None:
        # no exception here: in the middle of Popen it would leave a process that nobody knows, or a lock held
        asked.append(number)
        if process is not None:
            _kill(process)

    try:
        with _on_termination(end):
            process = subprocess.Popen(
                words,
                cwd=work,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                if asked:
                    _kill(process)
                return process.wait(seconds)
            except BaseException:
                _kill(process)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(
                        _LAST_WAIT
                    )  # not without end: what interrupted the waiting may have left its lock held
                raise
    finally:
        if asked:  # looked at last, when signals end this process again, and before whatever else has ended the waiting
            sys.exit(128 + asked[0])


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def _on_termination(then: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Call ``then`` at a SIGTERM in the block, for a command in a session of its own does not get it with this process."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread has signals
        return
    before = signal.signal(signal.SIGTERM, then)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _environment(program: Program, outside: Mapping[str, str]) -> dict[str, str]:
    inside = dict(outside)
    if program.models is not None:
        inside[MODELS[program.name]] = str(program.models.absolute())
    return inside


def _last_words(log: Path) -> str:
    try:
        text = log.read_bytes()[-2000:].decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f" ({lines[-1][:_LAST_CHARACTERS]})" if lines else ""
