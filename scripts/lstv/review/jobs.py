"""Analyses in the order in which they were asked for, a few at once; their results for a while."""

from __future__ import annotations

import queue
import secrets
import shutil
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from lstv.base.errors import StudyError
from lstv.review import child
from lstv.review.analysis import Result, Settings
from lstv.review.limits import Limits


@dataclass
class Job:
    """One analysis. ``state`` waiting | running | done | refused; ``stage`` of ``analysis.STAGES``; ``sentence`` why it was
    refused; ``folder`` holds ``given`` until it has ended, and ``out``, what is looked at."""

    folder: Path
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    state: str = "waiting"
    stage: str = ""
    sentence: str = ""
    result: Result | None = None
    asked: float = field(default_factory=time.monotonic)
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def given(self) -> Path:
        return self.folder / "given"

    @property
    def out(self) -> Path:
        return self.folder / "out"


class Jobs:
    """A context in which analyses run. Each ``limits.running`` thread starts one process after another."""

    def __init__(self, folder: Path, settings: Settings, limits: Limits) -> None:
        self.folder, self._settings, self._limits = folder, settings, limits
        self._jobs: dict[str, Job] = {}
        self._queue: queue.Queue[Job | None] = queue.Queue()
        self._changed = threading.Lock()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(limits.running)]

    def __enter__(self) -> Jobs:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def new(self) -> Job:
        """A job whose ``given`` can be filled; it runs when it is submitted. Raises StudyError where too many wait."""
        self._forget()
        with self._changed:
            waiting = sum(job.state in ("waiting", "running") for job in self._jobs.values())
            if waiting >= self._limits.running + self._limits.waiting:
                raise StudyError(f"{waiting} studies are being analysed or wait for it; try again in a minute.")
            job = Job(self.folder / secrets.token_hex(8))
            self._jobs[job.id] = job
        job.given.mkdir(parents=True, mode=0o700)
        return job

    def submit(self, job: Job) -> None:
        self._queue.put(job)

    def refuse(self, job: Job, sentence: str) -> None:
        """End a job; what was given is removed at once."""
        shutil.rmtree(job.folder, ignore_errors=True)
        job.sentence, job.state = sentence, "refused"

    def drop(self, job: Job) -> None:
        """Forget a job, whatever its state: one that runs is ended, and what it was given is removed."""
        job.stopped.set()
        shutil.rmtree(job.folder, ignore_errors=True)
        with self._changed:
            self._jobs.pop(job.id, None)

    def find(self, job_id: str) -> Job | None:
        self._forget()
        return self._jobs.get(job_id)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None and not self._ended.is_set():
            if job.stopped.is_set():
                continue
            job.state = "running"
            try:
                self._analyse(job)
            except child.Refused as refused:
                self.refuse(job, str(refused))
            except Exception:  # a thread less would leave all others waiting
                traceback.print_exc(file=sys.stderr)
                self.refuse(job, child.UNEXPECTED)
            if job.stopped.is_set():
                shutil.rmtree(job.folder, ignore_errors=True)  # what was written meanwhile

    def _analyse(self, job: Job) -> None:
        def say(stage: str) -> None:
            job.stage = stage

        def ended() -> bool:
            return job.stopped.is_set() or self._ended.is_set()

        try:
            job.result = child.run(job.given, job.out, self._settings, self._limits, say, ended)
        finally:
            shutil.rmtree(job.given, ignore_errors=True)
        for name in ("extracted", "lists", "given"):
            shutil.rmtree(job.out / name, ignore_errors=True)  # copies of the images, and lists of them
        job.state = "done"

    def _forget(self) -> None:
        """Remove results that nobody needs any more: the oldest beyond the limit, and those past their time."""
        with self._changed:
            over = sorted((j for j in self._jobs.values() if j.state in ("done", "refused")), key=lambda j: j.asked)
            late = time.monotonic() - self._limits.kept_seconds
            for number, job in enumerate(over, start=1):
                if job.asked < late or len(over) - number >= self._limits.kept:
                    shutil.rmtree(job.folder, ignore_errors=True)
                    del self._jobs[job.id]
