"""Numbers of the structures in a phantom's label masks.

Those of SPINEPS' vertebra mask (``Vertebra_Instance`` of TPTBox 1.1.0): T5 to T12 12 to 19, L1 to L5 20 to 24, L6 25, S1 26,
S2 to S5 29 to 32; a disc has 100 + the number of the vertebra above it. The coccyx is not labelled.
"""

from __future__ import annotations

import numpy as np

from lstv_evidence.phantom.anatomy import L1, S1, S2, VERTEBRAE

_THORACIC_5, _LUMBAR_1, L6_LABEL, S1_LABEL, _SACRAL_2 = 12, 20, 25, 26, 29
DISC = 100
"""Added to the number of the vertebra above a disc."""
_COCCYX = VERTEBRAE.index("Co1")


def values(lumbar: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Label of each body (V,) and of the disc below it (V - 1,), int, of a spine with 5 or 6 lumbar vertebrae.

    With 6 the vertebra that is S1 in an ordinary spine is L6, and the sacrum has one segment less. Raises ValueError for
    another number.
    """
    if lumbar not in (5, 6):
        raise ValueError(f"a phantom has 5 or 6 lumbar vertebrae, not {lumbar}")
    bodies = np.zeros(len(VERTEBRAE), int)
    bodies[:L1] = _THORACIC_5 + np.arange(L1)
    bodies[L1:S1] = _LUMBAR_1 + np.arange(5)
    sacrum = [S1_LABEL, *(_SACRAL_2 + np.arange(_COCCYX - S2))]
    bodies[S1:_COCCYX] = sacrum if lumbar == 5 else [L6_LABEL, *sacrum[:-1]]
    discs = np.where(bodies[:-1] > 0, bodies[:-1] + DISC, 0)
    # between the last sacral segment and the coccyx
    discs[_COCCYX - 1] = 0
    return bodies, discs
