"""Studies for the benchmarks: a folder of the user's, or phantoms, repeated under other ids until there are enough.

The copies are hard links, so a cohort of any size takes the room of its first studies, and comes from the disk cache.
"""

from __future__ import annotations

import csv
import os
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"
sys.path.insert(0, str(SCRIPTS))

from lstv.base.atomic import write_csv, write_text  # noqa: E402
from lstv.cohort import study_sheet  # noqa: E402
from lstv.cohort.rsna_layout import IMAGES, SAGITTAL_T2, SERIES_TABLE  # noqa: E402
from lstv.cohort.study_sheet import Row  # noqa: E402

CODECS = ("explicit_le", "rle", "jpeg_2000")
"""A third of the phantoms each, as real exports mix them; --codecs chooses others of the demo generator's."""


def phantoms(folder: Path, count: int, codecs: tuple[str, ...], jobs: int) -> Path:
    """Ordinary phantoms as DICOM in the RSNA layout below ``folder``, which is given back."""
    columns = (
        "study_id",
        "seed",
        "kind",
        "degree",
        "nuisances",
        "transfer_syntax",
        "instances",
        "series",
        "damage",
        "remark",
    )
    rows = [
        dict(zip(columns, (str(100_000 + n), 900 + n, "normal", 0, "", codecs[n % len(codecs)], "plain", "t2", "", "")))
        for n in range(count)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / "phantoms.csv", columns, rows)
    command = [sys.executable, str(SCRIPTS / "make_demo_cohort.py"), "--studies", str(folder / "phantoms.csv")]
    subprocess.run(
        [*command, "--out", str(folder / "dicom"), "--jobs", str(jobs)], check=True, stdout=subprocess.DEVNULL
    )
    return folder / "dicom"


def t2_series(root: Path) -> list[Path]:
    """Folder of the sagittal T2 series of every study below a folder in the RSNA layout."""
    found = []
    with open(root / SERIES_TABLE, newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row["series_description"] == SAGITTAL_T2:
                found.append(root / IMAGES / row["study_id"] / row["series_id"])
    return sorted(found)


def repeated(series: list[Path], count: int, folder: Path) -> Path:
    """``count`` studies in the RSNA layout below ``folder``, made of hard links to the given series in turn; their study
    sheet is ``sheet.csv`` and the ids stand in ``ids.txt``."""
    rows, described = [], []
    for number in range(count):
        source = series[number % len(series)]
        study_id = str(10**9 + 7 * number)
        target = folder / IMAGES / study_id / f"{study_id}1"
        target.mkdir(parents=True, exist_ok=True)
        for path in source.iterdir():
            try:
                os.link(path, target / path.name)
            except OSError:  # another file system, or one without hard links
                os.symlink(path.resolve(), target / path.name)
        rows.append(Row(study_id, f"{study_id}1", str(target), SAGITTAL_T2))
        described.append({"study_id": study_id, "series_id": f"{study_id}1", "series_description": SAGITTAL_T2})
    write_csv(folder / SERIES_TABLE, ("study_id", "series_id", "series_description"), described)
    study_sheet.write_sheet(rows, folder / "sheet.csv")
    write_text(folder / "ids.txt", "".join(f"{row.study_id}\n" for row in rows))
    return folder / "sheet.csv"


def random_weights(path: Path) -> Path:
    """A checkpoint of the published sizes with random weights: as much work as the real one, and no sense."""
    import torch

    from lstv.localizer.network import LocalizerUNet

    torch.manual_seed(0)
    torch.save({"state_dict": LocalizerUNet().state_dict(), "purpose": "benchmark: random weights, no localizer"}, path)
    return path


def machine() -> dict:
    """What numbers depend on: processor, cores that may be used, memory, Python, operating system."""
    processor = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {
        "processor": processor,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "python": platform.python_version(),
        "system": platform.platform(),
    }
