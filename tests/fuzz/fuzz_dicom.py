"""Altered DICOM files through scan, choice and decoding: each study a row with a true reason, the good ones unchanged.

By hand: ``python tests/fuzz/fuzz_dicom.py --studies 2000 --seed 1``. Each study is a series of one of several encodings
whose files are altered: bits, bytes, runs of bytes, lengths cut or drawn out, elements replaced by text. Prints counts as
JSON; ends with status 1 where something was neither analysed nor refused for a reason of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests" / "support")]

from dicom_files import textured_volume, write_enhanced, write_series  # noqa: E402
from lstv.cohort.study_sheet import Row  # noqa: E402
from lstv.folder.choose import choose  # noqa: E402
from lstv.folder.scan import scan  # noqa: E402
from lstv.folder.series import build_studies  # noqa: E402
from lstv.localizer.decoding import prepared_studies  # noqa: E402
from lstv.localizer.options import Options  # noqa: E402
from lstv.localizer.outcome import NotAnalysed  # noqa: E402

SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
)
TAGS = {"SeriesDescription": "SAG T2", "EchoTime": 100, "RepetitionTime": 3000, "ScanningSequence": "SE"}
BATCH = 100
SUSPECT = ("unexpected ", "killed", "took longer")
"""Reasons that say of us, not of the files, what went wrong. A decoder that crashes costs its study only; it is counted."""


def originals(folder: Path) -> list[list[Path]]:
    """One sound series of each kind."""
    volume = textured_volume((5, 64, 48))
    found = []
    for number, syntax in enumerate(SYNTAXES):
        options = {"pixel_spacing": (4.0, 4.0), "transfer_syntax": syntax}
        found.append(write_series(folder / f"{number}", volume, **options, **TAGS))
        if syntax in (ExplicitVRLittleEndian, RLELossless):
            found.append([write_enhanced(folder / f"{number}e" / "1.dcm", volume, **options)])
    return found


def altered(content: bytes, draw: random.Random) -> bytes:
    """One alteration of a file."""
    data = bytearray(content or b"\0")
    # most of them in the header and at the start of the pixel data, where every byte has a meaning
    at = draw.randrange(min(len(data), draw.choice((400, 1500, 4000, len(data)))))
    kind = draw.randrange(7)
    if kind == 0:
        data[at] ^= 1 << draw.randrange(8)
    elif kind == 1:
        data[at] = draw.choice((0, 1, 127, 128, 255, draw.randrange(256)))
    elif kind == 2:
        length = draw.choice((2, 4, 8, 64))
        data[at : at + length] = draw.randbytes(min(length, len(data) - at))
    elif kind == 3:
        del data[at : at + draw.choice((1, 2, 8, 100))]
    elif kind == 4:
        data[at:at] = draw.choice((b"\0", b"\\", b"1e300", b"\xff" * 4, draw.randbytes(16)))
    elif kind == 5:
        del data[at:]
    else:
        data[at : at + 4] = draw.choice((b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0", b"nan ", b"-1  "))
    return bytes(data)


def study(folder: Path, files: Sequence[Path], draw: random.Random) -> None:
    """A copy of a series of which one, several or all files are altered, the same way or each in its own."""
    folder.mkdir()
    share, seed = draw.choice((0.2, 0.5, 1.0)), draw.random()
    for number, path in enumerate(files):
        own = random.Random(seed if share == 1.0 else draw.random())
        content = path.read_bytes()
        for _ in range(own.choice((1, 1, 1, 2, 5)) if draw.random() <= share else 0):
            content = altered(content, own)
        (folder / f"{number}.dcm").write_bytes(content)


def run(studies: int, seed: int, workers: int) -> tuple[dict[str, object], list[str]]:
    """Counts, and what is suspect."""
    draw, counts, reasons, suspect = random.Random(seed), Counter[str](), Counter[str](), list[str]()
    start, slowest, good = time.monotonic(), 0.0, set[str]()
    with tempfile.TemporaryDirectory(prefix="fuzz_dicom_") as name:
        series = originals(Path(name) / "sound")
        for first in range(0, studies, BATCH):
            root = Path(name) / f"{first}"
            root.mkdir()
            rows = []
            for number in range(first, min(first + BATCH, studies)):
                study(root / f"s{number}", draw.choice(series), draw)
                rows.append(Row(f"s{number}", "1", str(root / f"s{number}")))
            rows.append(Row("good", "1", str(series[0][0].parent)))
            for found in build_studies(scan(root).found):
                counts["studies scanned"] += 1
                counts["studies chosen"] += choose(found).chosen is not None
            last = time.monotonic()
            for outcome in prepared_studies(rows, False, Options(workers=workers, study_seconds=30)):
                slowest, last = max(slowest, time.monotonic() - last), time.monotonic()
                if outcome.study_id == "good":
                    good.add("lost" if isinstance(outcome, NotAnalysed) else hashlib.sha256(outcome.images).hexdigest())
                elif isinstance(outcome, NotAnalysed):
                    counts["failed"] += 1
                    reasons[outcome.reason.split("(")[0][:60]] += 1
                    if any(word in outcome.reason for word in SUSPECT):
                        suspect.append(f"{outcome.study_id}: {outcome.reason}")
                else:
                    counts["analysed"] += 1
                    counts["analysed with a flag"] += bool(outcome.flags)
    if len(good) != 1 or "lost" in good:
        suspect.append("the sound study beside them changed")
    facts = {"seed": seed, "studies": studies, **counts, "seconds": round(time.monotonic() - start, 1)}
    return {
        **facts,
        "slowest_s": round(slowest, 2),
        "suspect": len(suspect),
        "reasons": dict(reasons.most_common(12)),
    }, suspect


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args(argv)
    record, suspect = run(args.studies, args.seed, args.workers)
    print(json.dumps(record, indent=1))
    for line in suspect:
        print(line)
    return 1 if suspect else 0


if __name__ == "__main__":
    sys.exit(main())
