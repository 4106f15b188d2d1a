"""The options by which programs are told what the study pages call studies."""

from __future__ import annotations

import argparse


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add ``--show-ids`` and ``--title``."""
    parser.add_argument(
        "--show-ids",
        choices=("yes", "no"),
        default="no",
        help="call studies and their files by id; no (the default) calls them by their line in the cohort table",
    )
    parser.add_argument("--title", default="Study pages", help="what the pages belong to, such as the cohort's name")
