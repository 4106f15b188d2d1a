"""How every program ends: 0, or one sentence on standard error and 2."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable

from lstv.base.errors import StudyError, UserError


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


def run(main: Callable[[], int]) -> int:
    """Run ``main`` and turn what the user can mend into one sentence; other exceptions keep their traceback."""
    try:
        return main()
    except (UserError, StudyError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
