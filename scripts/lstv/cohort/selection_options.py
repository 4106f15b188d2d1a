"""The options by which programs are told which studies to take; they are those of the configuration's ``selection``."""

from __future__ import annotations

import argparse

from lstv.base.defaults import default
from lstv.base.numbers import of_setting
from lstv.cohort.selection import Selection


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add ``--valid-ids`` and the options of a ``Selection``."""
    parser.add_argument("--valid-ids", help="valid_id.npy: studies the point net was not trained on; rsna needs it")
    parser.add_argument(
        "--mode",
        choices=("production", "trial", "validation", "list"),
        default=default("selection.mode"),
        help="which studies: all, a few for a trial, the validation studies, or those of --list",
    )
    parser.add_argument(
        "--trial-studies",
        type=of_setting("selection.trial_studies"),
        default=default("selection.trial_studies"),
        help="mode trial: how many studies",
    )
    parser.add_argument(
        "--seed",
        type=of_setting("selection.seed"),
        default=default("selection.seed"),
        help="mode trial: which studies; the same seed, the same ones",
    )
    parser.add_argument("--list", help="mode list: file with one study id per line")
    parser.add_argument(
        "--allow-training-studies", action="store_true", help="use studies that the localizer was trained on, too"
    )


def asked(args: argparse.Namespace) -> Selection:
    """The selection that parsed options ask for."""
    return Selection(args.mode, args.trial_studies, args.seed, args.list, args.allow_training_studies)
