"""What a user asks of Snakemake on its command line, which it tells a workflow only after it has read all rules."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from pathlib import Path

from lstv.base.errors import UserError
from lstv.run import checks, lock

_WITH_VALUE = frozenset(("-s", "-d", "-R", "-U", "-O", "-c", "-j", "-C", "-w", "-T", "-e", "-q"))
_FLAGS = frozenset(
    f"--{name}"
    for name in (
        *(
            "dry-run",
            "dryrun",
            "force",
            "forceall",
            "keep-going",
            "printshellcmds",
            "rerun-incomplete",
            "touch",
            "nolock",
        ),
        *("notemp", ""),
    )
)
_NO_JOBS = frozenset(
    f"--{name}"
    for name in (
        *(
            "dry-run",
            "dryrun",
            "dag",
            "rulegraph",
            "filegraph",
            "d3dag",
            "summary",
            "detailed-summary",
            "list-rules",
            "list",
        ),
        *(
            "list-target-rules",
            "lt",
            "lint",
            "unlock",
            "report",
            "archive",
            "cleanup-metadata",
            "cm",
            "cleanup-shadow",
            "help",
        ),
        *("version", "delete-all-output", "delete-temp-output", "list-changes", "containerize", "generate-unit-tests"),
        *("print-compilation", "export-cwl"),
    )
)


def begin(command: Sequence[str], cohort: str | None) -> None:
    """What is to be done before anything is planned: refuse a target of another cohort (of none where this is a module of
    another workflow, whose results lie where it likes), and take the run's lock where jobs will run. Raises UserError with
    one sentence."""
    mistake = None if cohort is None else of_another_cohort(command[1:], cohort)
    if mistake is not None:
        raise UserError(mistake)
    if runs_jobs(command):
        lock.hold(Path(".snakemake/run.lock"))


def fetched(path: str, download: bool) -> str:
    """The name under which a rule fetches a file; one that nothing asks for where nothing is downloaded, or where the user
    put the file there by hand: of a rule for such a file Snakemake would say that its provenance is missing."""
    record = Path(".snakemake/metadata") / base64.urlsafe_b64encode(path.encode()).decode()
    by_hand = os.path.exists(path) and not record.exists()
    return path if download and not by_hand else f"resources/no-download/{os.path.basename(path)}"


def runs_jobs(command: Sequence[str]) -> bool:
    """Whether a command line of Snakemake certainly runs jobs: not a dry run, not one for a report or a list."""
    if not command or Path(command[0]).stem not in ("snakemake", "__main__"):
        return False
    short = "".join(word[1:] for word in command[1:] if word.startswith("-") and not word.startswith("--"))
    return not set(short) & set("nSDlhv") and not any(word.partition("=")[0] in _NO_JOBS for word in command[1:])


def is_dry_run(arguments: Sequence[str]) -> bool:
    """Whether Snakemake's arguments ask for a plan only."""
    short = "".join(word[1:] for word in arguments if word.startswith("-") and not word.startswith("--"))
    return "n" in short or any(word in ("--dry-run", "--dryrun") for word in arguments)


def settings_files(arguments: Sequence[str]) -> list[Path]:
    """The files of settings that Snakemake's arguments name."""
    found, taking = [], False
    for word in arguments:
        if word.startswith("-"):
            option, _, value = word.partition("=")
            taking = option in ("--configfile", "--configfiles")
            found += [Path(value)] if taking and value else []
        elif taking:
            found.append(Path(word))
    return found


def of_another_cohort(arguments: Sequence[str], cohort: str) -> str | None:
    """A sentence on the first target on a command line that lies in the results of another cohort than the configuration's;
    None where there is none. What follows an option that takes a value is that."""
    for before, target in zip(("", *arguments), arguments):
        parts = target.removeprefix("./").split("/")
        if before in _WITH_VALUE or (before.startswith("--") and "=" not in before and before not in _FLAGS):
            continue
        if parts[0] == "results" and len(parts) > 2 and parts[1] not in (cohort, *checks.EVIDENCE):
            return (
                f"{target} is of the cohort {parts[1]}, but the configuration is that of {cohort}: give the configuration "
                f"of that cohort (--configfile FILE), or set cohort to {parts[1]}."
            )
    return None
