"""The local web app: look at the results of a cohort, and give a study in the browser to see what the workflow would say.

Only this machine can reach it, unless --expose says otherwise. Nothing leaves the machine; what is given is removed when its
analysis has ended. On a server use ssh -L (docs/review.md).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import signal
import socket
import sys
import webbrowser
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from lstv.base.cli import argument_parser, run
from lstv.base.defaults import SCHEMA
from lstv.base.errors import Setting, UserError
from lstv.base.numbers import whole
from lstv.run import maker
from lstv.run import settings as run_settings

if TYPE_CHECKING:
    from lstv.review.app import Sample

ROOT = Path(__file__).parents[1]
PORT = Setting("port", "the port")
EXPOSE = Setting("expose", "the address")

PHANTOMS = (
    ("104928817", "An ordinary spine", "Five lumbar vertebrae, an ordinary junction."),
    ("1293446851", "L5 nearly part of the sacrum", "Sacralization: a rudimentary L5/S1 disc."),
    ("733841096", "S1 nearly a lumbar vertebra", "Lumbarization: a disc at S1/S2, a squared S1."),
    ("3096148527", "A picture that ends in S1", "Cropped below: can the names be believed?"),
    ("1984630275", "No sagittal T2", "Refused: the series that is needed is missing."),
)
"""Studies of the demo cohort that are offered to try."""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argument_parser(__doc__)
    add = parser.add_argument
    add("--results", type=Path, help="results folder of a cohort to look at, results/<cohort>")
    add(
        "--config",
        type=Path,
        help="configuration of the workflow: which network analyses a study that is given, and how",
    )
    maker.add_option_to(parser)
    add("--blinded", action="store_true", help="of the results serve the blinded reading alone, for readers")
    add("--phantoms", action="store_true", help="offer the demo's phantoms to try")
    add("--port", type=whole(0, 65535), default=8642, help="port to listen at; 0 takes a free one")
    add("--token", action="store_true", help="ask for a token on this machine too, where others can log in")
    add("--expose", metavar="ADDRESS", help="let other machines in at this address of this machine; asks for a token")
    add("--name", action="append", default=[], help="another name under which the app is called; may be repeated")
    add("--no-browser", action="store_true", help="only print the address")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    try:
        import flask  # noqa: F401
        import waitress
    except ImportError as error:
        raise UserError(
            f"{error.name} is not installed, which only the app needs; run make setup (envs/review.in lists them)."
        ) from error
    from lstv.localizer import checkpoint
    from lstv.review.analysis import Settings
    from lstv.review.app import Content, create_app
    from lstv.review.cohort_files import Cohort
    from lstv.review.doors import LOOPBACK, Doors, is_loopback
    from lstv.review.jobs import Jobs
    from lstv.review.limits import Limits
    from lstv.review.reading_cases import Cases
    from lstv.review.workspace import Workspace

    if args.results is None and args.config is None:
        raise UserError("there is nothing to show; give --results, --config or both.")
    if args.blinded and args.results is None:
        raise UserError("--blinded is for the reading of a cohort; give --results too.")
    cohort = None if args.results is None else Cohort(args.results)
    if cohort is not None:
        cohort.check()
    limits = Limits()
    exposed = args.expose is not None and not is_loopback(args.expose)
    address = args.expose or "127.0.0.1"
    token = secrets.token_urlsafe(24) if args.token or exposed else None
    names = [*args.name, address, *([socket.gethostname(), socket.getfqdn()] if exposed else [])]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.ExitStack() as running:
        workspace = running.enter_context(Workspace())
        jobs, phantoms_only = None, False
        if args.config is not None:
            inferring = {"inference": maker.here(args.software, maker.INFERRING)}
            made_by = maker.here(args.software, maker.MEASURING) | inferring
            settings = Settings(**_settings(args.config), made_by=made_by)
            phantoms_only = checkpoint.read_checkpoint(settings.checkpoint, expected_sha256=settings.sha256).demo
            jobs = running.enter_context(Jobs(workspace.folder, settings, limits))
        cases = None
        if cohort is not None:
            cases = Cases(cohort, workspace.folder / "series")
            running.callback(cases.close)
        samples = _samples() if args.phantoms else ()
        content = Content(phantoms_only, limits, samples, None if args.blinded else cohort, cases)
        app = create_app(content, jobs, Doors(names, token))
        server = _server(waitress, app, address, args.port, limits.upload_bytes)
        shown = socket.gethostname() if address in ("0.0.0.0", "::") else address
        url = f"http://{f'[{shown}]' if ':' in shown else shown}:{server.effective_port}/"
        url += f"?token={token}" if token else ""
        print(f"Open {url}", flush=True)
        if exposed:
            print(
                "Other machines can reach it, and what is sent is not encrypted: use it in a network that you trust, or "
                "rather ssh -L without --expose.",
                flush=True,
            )
        print("Ctrl-C ends it and removes what was given.", flush=True)
        if not args.no_browser and address in LOOPBACK and _has_screen():
            webbrowser.open(url)
        server.run()
    print("The app has ended; what was given is removed.")
    return 0


def _has_screen() -> bool:
    """Whether a browser would open a window here; a text browser would take over the terminal."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _settings(path: Path) -> dict[str, Any]:
    """The keywords of ``Settings`` that a configuration of the workflow gives."""
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:  # ValueError: a date such as 2024-13-01
        why = " ".join(str(error).split())
        raise UserError(path, f" cannot be read as a configuration ({why}); check it and its path.") from error
    if not isinstance(given, dict):
        raise UserError(path, " is not a configuration; config/README.md describes one.")
    complete = run_settings.checked(given, yaml.safe_load(SCHEMA.read_text(encoding="utf-8")))
    localizer, metrics = complete["localizer"], complete["metrics"]
    names = ("sha256", "preprocessing", "members", "marks", "field", "device", "forward_batch", "study_seconds")
    return {
        "checkpoint": Path(localizer["checkpoint"]),
        **{name: localizer[name] for name in (*names, "study_memory_mb")},
        "entropy_high": metrics["entropy_high"],
        "entropy_moderate": metrics["entropy_moderate"],
        "feature_bank": Path(metrics["feature_bank"]) if metrics["feature_bank"] else None,
    }


def _samples() -> list[Sample]:
    from lstv.review.app import Sample
    from lstv_evidence.phantom import cohort

    listed = {study.study_id: study for study in cohort.read_list(ROOT / "resources/demo/studies.csv")}

    def write(study: cohort.PhantomStudy, folder: Path) -> None:
        cohort.write_study(study, folder)

    return [Sample(title, text, partial(write, listed[study_id])) for study_id, title, text in PHANTOMS]


def _server(waitress, app, address: str, port: int, most_bytes: int):  # type: ignore[no-untyped-def]  # has no types
    try:
        return waitress.create_server(
            app,
            host=address,
            port=port,
            threads=8,
            ident="",
            max_request_body_size=most_bytes + (64 << 20),  # the app itself refuses what is too much, in words
        )
    except OSError as error:
        raise UserError(
            PORT, f" {port} at {address} cannot be used ({error.strerror or error}); name another, or 0 for a free one."
        ) from error


if __name__ == "__main__":
    sys.exit(run(main))
