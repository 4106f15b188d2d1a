"""Options and set-up that the programs which fetch from Kaggle have in common."""

from __future__ import annotations

import argparse
import os
import sys

from lstv.base.errors import UserError
from lstv.base.numbers import real, whole
from lstv_kaggle import credentials
from lstv_kaggle.client import Service
from lstv_kaggle.retry import Pacer, Policy

LONGEST = 86_400
"""Seconds of a pause or a time limit, at most: a day."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options on retries and time limits."""
    group = parser.add_argument_group("network")
    group.add_argument(
        "--retries", type=whole(1), default=Policy.retries, help="tries without progress before giving up"
    )
    group.add_argument(
        "--retry-wait",
        type=real(above=0, most=LONGEST),
        default=Policy.wait,
        help="first pause in seconds; doubles each time (default: 2)",
    )
    group.add_argument(
        "--longest-wait",
        type=real(above=0, most=LONGEST),
        default=Policy.longest_wait,
        help="longest pause in seconds that is waited out when Kaggle asks for one (default: 900)",
    )
    group.add_argument(
        "--timeout",
        type=real(above=0, most=LONGEST),
        default=Policy.read,
        help="seconds without a byte after which a connection is cut",
    )


def service(args: argparse.Namespace) -> tuple[Service, Policy, Pacer]:
    """The service under the user's credentials, as far as there are any."""
    policy = Policy(
        retries=args.retries,
        wait=args.retry_wait,
        longest_wait=args.longest_wait,
        connect=min(Policy.connect, args.timeout),
        read=args.timeout,
    )
    used = next((name for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if os.environ.get(name)), None)
    if used and not os.path.exists(os.environ[used]):
        raise UserError(f"{used} names {os.environ[used]}, which does not exist; correct it or unset it.")
    pacer = Pacer(policy, note=lambda text: print(text, file=sys.stderr, flush=True))
    return Service(credentials.find(), policy, pacer), policy, pacer
