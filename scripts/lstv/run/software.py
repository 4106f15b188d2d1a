"""Which software a run uses: written once a run, so that a result can be told from one of other versions."""

from __future__ import annotations

import json
import platform
import shlex
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from lstv import __version__
from lstv.base import atomic, checksums, installed
from lstv.base.shareable import shareable
from lstv.run import maker, revision

LIBRARIES = (
    "numpy",
    "scipy",
    "pandas",
    "torch",
    "h5py",
    "opencv-python-headless",
    "jsonschema",
    "matplotlib",
    "jinja2",
)
SCHEDULER = ("snakemake", "snakemake-executor-plugin-slurm")
NOT_SHOWN = "(path not shown)"


def here() -> dict[str, Any]:
    """Python, libraries and decoders of this process, which is that of a rule where this runs in the rules' environment."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": installed.versions(LIBRARIES),
        "decoders": installed.versions(maker.DECODERS),
    }


def ask(command: Sequence[str]) -> dict[str, Any] | None:
    """What ``command``, a run of scripts/software_versions.py in the rules' environment, prints; None where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
        return dict(json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def image(name: str, file: Path) -> dict[str, Any]:
    """The image by the configuration's name for it, without its folder, and the sha256 of its ``file``; None where that is
    no single file."""
    return {"name": _shown(name), "sha256": checksums.file_digest(file) if file.is_file() else None}


def configuration(settings: Mapping[str, Any], private: Iterable[str]) -> dict[str, Any]:
    """Complete settings as they are shown: of a path only its last name, of a ``private`` one not even that."""
    hidden = set(private)

    def shown(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: shown(inner) for key, inner in value.items()}
        if not isinstance(value, str):
            return value
        return NOT_SHOWN if value in hidden else _shown(value)

    return {key: shown(value) for key, value in settings.items()}


def _shown(value: str) -> str:
    """A value without the folder in it, where it is a path from the root or from a home."""
    return f".../{Path(value).name}" if value.startswith(("/", "~", "file:///")) else value


def command_line(words: Sequence[str], private: Iterable[str | None]) -> str:
    """Snakemake's command for a shell, with words that hold one of the ``private`` paths blanked, and of every
    other path from the root the last name: paths often name patients and users, and results are shared."""
    paths = [path for path in private if path]
    shown = ["snakemake", *words[1:]]  # also where it was started as a module of Python
    return shlex.join(NOT_SHOWN if any(path in word for path in paths) else shareable(word) for word in shown)


def of_run(
    code: Path,
    command: str,
    settings: Mapping[str, Any],
    used_image: Mapping[str, Any] | None,
    ask_rules: Sequence[str],
    private: Iterable[str] = (),
    reader_images: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """What is recorded of a run: the revision of the folder ``code``, the ``command`` as shown, the settings with their
    digest (paths that are ``private`` are not shown), the image as ``image`` gives it (so too that of each
    second reader that is run, by program), and what ``ask_rules`` (a command for ``ask``) says of the rules' environment."""
    return {
        **revision.of(code),
        "command": command,
        "configuration_sha256": checksums.of_settings(settings),
        "configuration": configuration(settings, private),
        "image": used_image,
        **({"second_reader_images": reader_images} if reader_images else {}),
        "rules": ask(ask_rules),
    }


def record(
    path: Path,
    code: Path,
    words: Sequence[str],
    settings: Mapping[str, Any],
    used_image: Mapping[str, Any] | None,
    ask_rules: Sequence[str],
    private: Sequence[str],
    reader_images: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Write what ``of_run`` says of a run that was started by the command ``words``."""
    command = command_line(words, private)
    write(path, of_run(code, command, settings, used_image, ask_rules, private, reader_images))


def write(path: Path, facts: Mapping[str, Any]) -> None:
    """Write ``facts`` as YAML with what is known here: this software's version and what schedules the jobs."""
    own = {"python": platform.python_version(), **installed.versions(SCHEDULER)}
    text = yaml.safe_dump({"lstv_uncertainty": __version__, **facts, "scheduler": own}, sort_keys=False, width=10_000)
    atomic.write_text(path, f"# Which software the last run that did anything used, and how it was started.\n{text}")
