"""Errors whose text is meant for the user: one sentence that names the thing, what is wrong and the fix.

The library knows neither options nor configuration keys. Its errors name their *subject*, a ``Setting`` or the ``Path`` of a
file, and whoever shows them calls it by the name that his user knows: a program ``--device``, the workflow
``localizer.device`` (``UserError.worded``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Setting:
    """Something that a user sets.

    ``name`` is its option (with hyphens) and the last part of its configuration key; ``words`` says what it is where it has
    neither.
    """

    name: str
    words: str

    def __str__(self) -> str:
        return self.words


class UserError(Exception):
    """Bad configuration, file or environment; a program prints the text and ends with status 2.

    ``UserError(DEVICE, " is cuda, but torch sees no GPU here.")``: the parts of the sentence, of which those that are no
    text are subjects.
    """

    def __init__(self, *parts: str | Path | Setting) -> None:
        super().__init__(*parts)

    def worded(self, name: Callable[[Path | Setting], str]) -> str:
        """The sentence with each subject as ``name`` calls it."""
        return "".join(part if isinstance(part, str) else name(part) for part in self.args)

    def __str__(self) -> str:
        return self.worded(str)


class StudyError(Exception):
    """One study cannot be used; its text becomes the ``reason`` of that study and the others go on."""


class CheckpointError(UserError):
    """The checkpoint is missing, not a state dict, unsafe, or of another network."""


def cause(error: Exception) -> str:
    """What went wrong, for the brackets of a sentence that names the file already: of a system's error its words alone,
    without number and path."""
    return getattr(error, "strerror", None) or str(error)
