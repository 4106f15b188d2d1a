"""How every program ends: 0, or one sentence on standard error and 2."""

from __future__ import annotations

import sys
from collections.abc import Callable

from lstv.errors import StudyError, UserError


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
