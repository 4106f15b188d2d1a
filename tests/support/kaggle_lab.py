"""Runs the fetching programs as a user does, against the stub of Kaggle, and watches what must never happen.

With LSTV_KAGGLE_IMAGE naming a SIF they run in it, as the SLURM profile's jobs do (tests/cluster/test_kaggle_in_image.py).
"""

from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import kaggle_stub as stub
from kaggle_stub import KaggleStub
from lstv.base.cli import run

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"
IMAGE = os.environ.get("LSTV_KAGGLE_IMAGE")
IN_JOB = f'. "{ROOT}/containers/job_environment.sh"; python "$@"'
SECRETS = (
    stub.KEY,
    stub.TOKEN,
    stub.REFRESH,
    "wr0ng-s3cret",
    "s1gned-",
    base64.b64encode(f"{stub.USERNAME}:{stub.KEY}".encode()).decode(),
)
QUICK = ("--retries", "2", "--retry-wait", "0.01", "--timeout", "5")


class Lab:
    """``run`` checks of every run: no credential and no signed address in what it printed or wrote, no traceback, one
    sentence on failure, nothing in HOME, no credential sent to the storage."""

    def __init__(self, kaggle: KaggleStub, folder: Path) -> None:
        self.kaggle, self.folder = kaggle, folder
        self.home = folder / "home"  # does not exist: making it would be writing to HOME
        self.out = folder / "out"
        self.environment = {
            **kaggle.environment(dict(os.environ)),
            "HOME": str(self.home),
            "KAGGLE_USERNAME": stub.USERNAME,
            "KAGGLE_KEY": stub.KEY,
        }

    def command(self, program: str, *arguments: object) -> list[str]:
        options = () if program == "series_list.py" else QUICK
        words = [str(SCRIPTS / program), *options, *map(str, arguments)]
        if IMAGE is None:
            return [sys.executable, *words]
        seen = ["--bind", str(self.folder), "--bind", f"{ROOT}:{ROOT}:ro", "--pwd", str(self.folder)]
        strict = ["--cleanenv", "--containall", "--no-home", *(["--no-privs"] if os.geteuid() == 0 else [])]
        return ["apptainer", "exec", *strict, *seen, IMAGE, "bash", "-euc", IN_JOB, "job", *words]

    def variables(self, **changes: str | None) -> dict[str, str]:
        """The environment of a command; what is None in ``changes`` is not set in it."""
        wanted = {name: value for name, value in {**self.environment, **changes}.items() if value is not None}
        if IMAGE is None:
            return wanted
        passes = ("KAGGLE_", "REQUESTS_", "http_proxy", "https_proxy", "no_proxy")
        passed = {
            name: value for name, value in wanted.items() if name.lower().startswith(tuple(map(str.lower, passes)))
        }
        outer = {name: wanted[name] for name in ("PATH", "HOME") if name in wanted}
        return {**outer, **{f"APPTAINERENV_{name}": value for name, value in passed.items()}}

    def run(self, program: str, *arguments: object, **environment: str | None) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            self.command(program, *arguments),
            env=self.variables(**environment),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.check(result)
        return result

    def call(self, main: Callable, *arguments: object, **environment: str | None) -> subprocess.CompletedProcess[str]:
        """As ``run``, but in this process, unless in an image: for programs whose imports take seconds."""
        if IMAGE is not None:
            return self.run(f"{main.__module__}.py", *arguments, **environment)
        variables = {name: v for name, v in {**self.environment, **environment}.items() if v is not None}
        out, err = io.StringIO(), io.StringIO()
        with mock.patch.dict(os.environ, variables, clear=True), redirect_stdout(out), redirect_stderr(err):
            status = run(lambda: main([*QUICK, *map(str, arguments)]))
        result = subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())
        self.check(result)
        return result

    def check(self, result: subprocess.CompletedProcess[str]) -> None:
        text = result.stdout + result.stderr
        assert "Traceback" not in text, text
        assert result.returncode in (0, 2), text
        if result.returncode == 2:
            assert [line.startswith("Error: ") for line in result.stderr.splitlines()].count(True) == 1, text
            assert result.stderr.splitlines()[-1].startswith("Error: "), text
        written = [path.read_bytes() for path in self.out.rglob("*") if path.is_file()]
        for secret in SECRETS:
            assert secret not in text
            assert not any(secret.encode() in content for content in written)
        assert not self.home.exists()
        assert not any(request.authorization for request in self.kaggle.requests("storage"))

    def error(self, program: str, *arguments: object, **environment: str | None) -> str:
        """The sentence of a run that must fail."""
        result = self.run(program, *arguments, **environment)
        assert result.returncode == 2, result.stdout + result.stderr
        return result.stderr.splitlines()[-1]

    def series_list(self, *pairs: tuple[int, int]) -> Path:
        path = self.folder / "series.csv"
        path.write_text("study_id,series_id\n" + "".join(f"{study},{series}\n" for study, series in pairs))
        return path
