"""Bring the generated parts of the docs up to date: metrics, flags, members, ranking, and the tables of the evidence."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from lstv.base.atomic import write_json, write_text
from lstv.base.cli import argument_parser, run
from lstv.base.errors import UserError, cause
from lstv_evidence.method import documentation
from lstv_evidence.method.design import method_study_of_record

_DOCS = Path(__file__).resolve().parents[1] / "docs"
_FIGURES = ("auc", "groups", "roc")


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--docs", type=Path, default=_DOCS, help="folder of the documents (default: docs of this repository)"
    )
    parser.add_argument(
        "--study",
        type=Path,
        help="take over a method study's results (results/method_study or results/method_study_patients)",
    )
    parser.add_argument("--planted", type=Path, help="take over the results of planted_changes.py, JSON")
    parser.add_argument("--check", action="store_true", help="write nothing; status 2 where a document is not current")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Update or check the documents; returns the exit status."""
    args = parse_args(argv)
    evidence = args.docs / "evidence"
    if args.check and (args.study or args.planted):
        raise UserError("--check writes nothing, so it takes neither --study nor --planted.")
    if args.study:
        record = _read(args.study / documentation.RESULTS)
        shown = documentation.STUDIES[method_study_of_record(record).generator]
        write_json(evidence / shown.file, shown.part(record))
        for name in _FIGURES:
            target = args.docs / "figures" / f"{Path(shown.file).stem}_{name}.svg"
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(args.study / "figures" / f"{name}.svg", target)
    if args.planted:
        write_json(evidence / documentation.PLANTED, _read(args.planted))
    for name in documentation.DOCUMENTS:
        _bring_up_to_date(args.docs / name, evidence, write=not args.check)
    return 0


def _bring_up_to_date(document: Path, evidence: Path, *, write: bool) -> None:
    before = _text(document)
    after = documentation.updated(document.name, before, evidence)
    if write:
        write_text(document, after)
    elif after != before:
        raise UserError(f"{document} is not current; run scripts/method_docs.py.")
    print(f"{document}: {'current' if after == before else 'updated'}")


def _text(document: Path) -> str:
    try:
        return document.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{document} cannot be read ({cause(error)}); --docs names the folder of the documents."
        ) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({cause(error)}); run the study first.") from error
    return record


if __name__ == "__main__":
    sys.exit(run(main))
