"""What the command of every rule begins with, inside the container where there is one."""

from __future__ import annotations

import shlex


def prefix(script: str, programs: str | None = None) -> str:
    """Snakemake's prefix of all commands, in which braces are doubled: the strict mode, which Snakemake leaves out where
    there is a prefix, and the ``script`` that gives each job a place of its own.

    A module's prefix is that of all rules, also of the workflow that took it. So with ``programs``, the folder of this
    software's programs with a slash at its end, commands that run none of them are left alone.
    """
    environment = f". {shlex.quote(script)}; "
    if programs is not None:
        folder = shlex.quote(programs)  # in a command a quote stands before a path that needs quotes
        ours = f"""*python" "{folder}*|*python" '"{folder}*"""
        environment = f'case "$BASH_EXECUTION_STRING" in {ours}) {environment};; esac; '
    return f"set -euo pipefail; {environment}".replace("{", "{{").replace("}", "}}")
