"""A few studies of the demo, made and measured by the programs that the workflow runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import infer_heatmaps
import make_demo_cohort
import study_metrics
import study_sheet

ROOT = Path(__file__).parents[2]
CHECKPOINT = ROOT / "resources/demo/pointnet_demo.pth"


def make(folder: Path, studies: Iterable[str], *, members: str) -> Path:
    """``folder``/images/<study_id>/<series>/*.dcm and ``folder``/metrics/<study_id>.json; returns the folder."""
    header, *lines = (ROOT / "resources/demo/studies.csv").read_text().splitlines()
    listed = [line for line in lines if line.split(",")[0] in set(studies)]
    (folder / "studies.csv").write_text("\n".join([header, *listed, ""]))
    assert make_demo_cohort.main(["--studies", f"{folder}/studies.csv", "--out", f"{folder}/dicom"]) == 0
    sheet = ["--kind", "demo", "--path", f"{folder}/dicom", "--mode", "production", "--out", f"{folder}/sheet.csv"]
    assert study_sheet.main(sheet) == 0
    run = ["--sheet", f"{folder}/sheet.csv", "--checkpoint", str(CHECKPOINT), "--members", members, "--device", "cpu"]
    assert infer_heatmaps.main([*run, "--workers", "2", "--out", f"{folder}/maps.h5"]) == 0
    out = ["--out-dir", f"{folder}/metrics", "--manifest", f"{folder}/manifest.csv"]
    assert study_metrics.main(["--heatmaps", f"{folder}/maps.h5", *out]) == 0
    # away from the series table, beside which the images are taken for those of the competition
    (folder / "dicom/train_images").rename(folder / "images")
    return folder
