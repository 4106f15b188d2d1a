"""How every program begins and ends: its help and version; 0, or one sentence on standard error and 2."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from lstv import __version__
from lstv.base import atomic
from lstv.base.errors import Setting, StudyError, UserError

_UNSAID = (None, False, argparse.SUPPRESS)


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Says of each option that it is required, or what its default is; not where the help tells so itself."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        if action.required and action.option_strings:
            return f"{text} (required)"
        if action.default in _UNSAID or action.default == [] or "default" in text:
            return text
        return f"{text} (default: %(default)s)"


def argument_parser(description: str | None, **options: Any) -> argparse.ArgumentParser:
    """The parser of a program: its docstring as the description, help with defaults, and ``--version``.

    ``options`` go to ``argparse.ArgumentParser``.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=_HelpFormatter, **options)
    parser.add_argument("--version", action="version", version=f"lstv-uncertainty {__version__}")
    return parser


def options(**values: object) -> str:
    """Command line options of the values that are set, quoted for a shell: ``seed=3`` -> ``--seed 3``.

    None and False are left out, True becomes a bare switch, underscores become hyphens.
    """
    words = []
    for name, value in values.items():
        if value is not None and value is not False:
            words.append(f"--{name.replace('_', '-')}")
            words += [] if value is True else [shlex.quote(str(value))]
    return " ".join(words)


def option_of(argv: Sequence[str], subject: Path | Setting) -> str:
    """What a program calls the subject of an error: a setting by its option, a file that stands on the command line ``argv``
    by the option before it and its path, any other file by its path."""
    if isinstance(subject, Setting):
        return f"--{subject.name.replace('_', '-')}"
    option = ""
    for word in argv:
        if word.startswith("--"):
            option, _, word = word.partition("=")
        if option and word and Path(word) == subject:
            return f"{option} {subject}"
    return str(subject)


def run(main: Callable[[], int]) -> int:
    """Run ``main`` and turn what the user can mend into one sentence; other exceptions keep their traceback."""
    try:
        status = main()
        if sys.stdout is not None:  # it is where it was closed before the start, as by `>&-`
            sys.stdout.flush()  # a log on a full disk says so here, not while Python ends
        return status
    except UserError as error:
        return _end(error.worded(partial(option_of, sys.argv[1:])))
    except StudyError as error:
        return _end(str(error))
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # the reader of the output has ended, as in `... | head`
            _drop_output()
            return 1
        if error.filename is None and error.errno not in atomic.DISK:
            raise  # not of a file: a mistake of the program
        place = error.filename or "the output"
        if error.errno in atomic.DISK:
            return _end(atomic.disk_problem(place, error))
        return _end(f"{place} cannot be used ({error.strerror}); check the path and its permissions.")
    except MemoryError:
        return _end("there is not enough memory; give the job more, or lower what it does at once (workers, batch).")
    except RuntimeError as error:
        if not re.search(r"out of memory|not enough memory|can't allocate memory", str(error)):
            raise
        return _end(
            "the device's memory is too small; lower how many images go in at once (--forward-batch) or take another."
        )
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


def _end(sentence: str) -> int:
    """Print the one sentence and drop what else could not be written."""
    with suppress(OSError):
        print(f"Error: {sentence}", file=sys.stderr)
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        _drop_output()
    return 2


def _drop_output() -> None:
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
