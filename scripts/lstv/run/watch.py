"""What the lines that a workflow manager prints tell of a run: how far it is, and how long what is left will take."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lstv.base.text import counted, duration

_STEPS = re.compile(r"^(\d+) of (\d+) steps")
_JOB = re.compile(r"^\s*(?:local)?Job (\d+): (.*)$")
_FINISHED = re.compile(r"^Finished jobid: (\d+) \(Rule: (\w+)\)")
_COUNT = re.compile(r"^(\w+)\s+(\d+)$")
_FAILURE = re.compile(r"^(Error|\w*Exception|\w*Error)\b")
_NOTE = re.compile(r"^(Note: |No job could start: )")
_RESULTS = re.compile(r"^Cohort: (\S+)$")
_OF_A_BATCH = ("batch_sheet", "infer_heatmaps", "study_metrics")
"""The rules that run once for each batch; how many batches there are is known only after a scan."""
_NOTHING = "Nothing to be done"
_LOCALIZING = "Localizing"
"""How the message of the jobs begins whose own progress is looked at: they are long, and few in a small cohort."""
_STUDIES = re.compile(r"^(\d+) of (\d+) studies", re.MULTILINE)


@dataclass
class Run:
    """A run as far as its output tells. ``line`` is fed every line with the time in seconds; ``said`` gives the progress."""

    start: float
    log_of: Callable[[str], str] = lambda batch: ""
    """The text of the log of one batch's inference; empty where there is none."""
    results: str = ""
    """The folder of the cohort's results."""
    done: int = 0
    total: int = 0
    nothing: bool = False
    planned: Counter[str] = field(default_factory=Counter)
    """Jobs by rule, as the last table of the plan has them."""
    finished: Counter[str] = field(default_factory=Counter)
    running: dict[str, tuple[float, str]] = field(default_factory=dict)
    """Job id -> when it began, and its message."""
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _in_table: bool = False

    def line(self, text: str, now: float) -> bool:
        """Take one line of output; whether it is to be shown to the user as it is."""
        text = text.rstrip()
        if text.startswith("Job stats:"):
            self.planned, self._in_table = Counter(), True
        elif self._in_table:
            self._row(text)
        elif match := _STEPS.match(text):
            self.done, self.total = int(match[1]), int(match[2])
        elif match := _JOB.match(text):
            self.running[match[1]] = (now, match[2])
        elif match := _FINISHED.match(text):
            began = self.running.pop(match[1], None)
            self.finished[match[2]] += 1
            if began is not None:
                self.seconds[match[2]].append(now - began[0])
        elif match := _RESULTS.match(text):
            self.results = match[1]
        elif text.startswith(_NOTHING):
            self.nothing = True
        return bool(_NOTE.match(text))

    def _row(self, text: str) -> None:
        if not text:
            self._in_table = not self.planned  # an empty line ends it
        elif match := _COUNT.match(text):
            if match[1] == "total":
                self.total, self._in_table = max(self.total, int(match[2])), False
            else:
                self.planned[match[1]] = int(match[2])

    def said(self, now: float) -> str:
        """Such as ``12 of 34 steps, 1 min 5 s, about 2 min 10 s left  Localizing the disc levels of batch-0000-of-0004``."""
        parts = [f"{self.done} of {self.total} steps" if self.total else "reading the plan", duration(now - self.start)]
        left = self.left(now)
        if left is not None:
            parts.append(f"about {duration(left)} left")
        what = self._what()
        return ", ".join(parts) + (f"  {what}" if what else "")

    def _what(self) -> str:
        """The message of the job that has been running longest, and how many others run."""
        jobs = sorted(self.running.values())
        if not jobs:
            return ""
        message = jobs[0][1]
        shares = self._of_studies()
        if message in shares:
            done, total = shares[message]
            message += f": {done} of {total} studies"
        others = len(jobs) - 1
        return message + (f", and {others} more" if others else "")

    def _of_studies(self) -> Mapping[str, tuple[int, int]]:
        """Message of each running inference job -> studies done and in all, as the last line of its log has them."""
        found = {}
        for _, message in self.running.values():
            if message.startswith(_LOCALIZING) and (rows := _STUDIES.findall(self.log_of(message.split()[-1]))):
                found[message] = (int(rows[-1][0]), int(rows[-1][1]))
        return found

    def left(self, now: float) -> float | None:
        """Seconds that the jobs left will take, from what jobs of their rules took in this run, side by side as they were.

        None while a rule that has more than one job left, or the inference, has not been timed yet. Rules that run once at
        the end are not counted before they have been timed; they take seconds.
        """
        seconds = {rule: sum(values) / len(values) for rule, values in self.seconds.items()}
        shares = self._of_studies()
        begun = [
            (now - start) * total / done
            for start, message in self.running.values()
            for done, total in (shares.get(message, (0, 1)),)
            if done
        ]
        if begun:
            seconds.setdefault("infer_heatmaps", sum(begun) / len(begun))
        work = 0.0
        for rule, planned in self._all_planned().items():
            remaining = planned - self.finished[rule]
            if remaining <= 0 or rule == "all":
                continue
            if rule in seconds:
                work += remaining * seconds[rule]
            elif remaining > 1 or rule == "infer_heatmaps":
                return None
        if not work:
            return None
        spent = sum(map(sum, self.seconds.values())) + sum(now - start for start, _ in self.running.values())
        beside = max(1.0, spent / max(now - self.start, 1.0))
        already = sum(now - start for start, message in self.running.values() if message.startswith(_LOCALIZING))
        return max(1.0, (work - already) / beside)

    def _all_planned(self) -> Counter[str]:
        """The plan, and what a scan has added to it since."""
        planned = Counter(self.planned)
        later = self.total - planned.total()
        for rule in _OF_A_BATCH if later > 0 else ():
            planned[rule] += later // len(_OF_A_BATCH)
        return planned

    def failure_in(self, lines: Sequence[str]) -> list[str]:
        """Of all ``lines`` of a run that failed those that say why: from the first error on, or the last ones."""
        first = next((i for i, text in enumerate(lines) if _FAILURE.match(text)), max(0, len(lines) - 20))
        return list(lines[first : first + 40])

    def plan(self) -> str:
        """The counts of a plan in one sentence."""
        jobs = [f"{rule} {count}" for rule, count in self.planned.items() if rule != "all"]
        if self.nothing or not jobs:
            return "Everything is up to date; nothing would run."
        total = sum(count for rule, count in self.planned.items() if rule != "all")
        return f"{counted(total, 'job')} would run: {', '.join(jobs)}. Nothing was run."
