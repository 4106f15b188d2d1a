"""Pictures to check by eye what was planted. They show patients' images: for one's own use."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from lstv.base import atomic
from lstv_evidence.method.planting import Planted

_SCALE = 2


def write(planted: list[Planted], folder: Path) -> None:
    """Write <study_id>.png for each study: the slice that the network sees, as it is and with every change in turn."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for study in planted:
        if study.reason:
            continue
        row = np.hstack(list(study.images.values()))
        large = cv2.resize(row, None, fx=_SCALE, fy=_SCALE, interpolation=cv2.INTER_LINEAR)
        for place, name in enumerate(study.images):
            cv2.putText(
                large, name, (place * 160 * _SCALE + 4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 255, 1, cv2.LINE_AA
            )
        atomic.write_bytes(folder / f"{study.study_id}.png", cv2.imencode(".png", large)[1].tobytes())
