"""A few studies as Kaggle holds them, with a point net of the published form, and what the workflow must make of them."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import torch

from dicom_files import textured_volume, write_series
from lstv.localizer.network import LocalizerUNet

FIRST = 4_000_000
STUDIES = 4


def checkpoint() -> bytes:
    """A file of the published form and size (130 MB): each entry is one number again and again, so the network finds nothing
    anywhere."""
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in LocalizerUNet().state_dict().items()}
    state = {}
    for name, shape in shapes.items():
        value = torch.tensor(float(name.endswith(("running_var", "std"))))
        state[name] = value.expand(shape).contiguous() if shape else value
    stream = io.BytesIO()
    torch.save({"state_dict": state}, stream)
    return stream.getvalue()


def valid_ids() -> bytes:
    """283 ids, as published; the last of the archive's studies is not among them."""
    stream = io.BytesIO()
    np.save(stream, np.arange(FIRST, FIRST + 283) + np.where(np.arange(283) >= STUDIES - 1, 1000, 0))
    return stream.getvalue()


def archive(folder: Path) -> tuple[bytes, str]:
    """The competition's archive, and its series table."""
    table = ["study_id,series_id,series_description"]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target:
        for number in range(STUDIES):
            for series, description in ((1, "Sagittal T2/STIR"), (2, "Axial T2")):
                table.append(f"{FIRST + number},{series},{description}")
                source = folder / f"{number}-{series}"
                write_series(source, textured_volume((5, 48, 40), seed=number))
                for index, path in enumerate(sorted(source.iterdir()), start=1):
                    target.write(path, f"train_images/{FIRST + number}/{series}/{index}.dcm")
        text = "\n".join(table) + "\n"
        target.writestr("train_series_descriptions.csv", text)
    return stream.getvalue(), text


def files(folder: Path) -> dict[str, bytes]:
    """All that Kaggle has to offer, for the stub; DICOM files are made in ``folder``."""
    content, table = archive(folder)
    return {
        "dataset/00002484.pth": checkpoint(),
        "dataset/valid_id.npy": valid_ids(),
        "competition/archive.zip": content,
        "competition/train_series_descriptions.csv": table.encode(),
    }


def check(cohort_table: Path, data: Path) -> None:
    """The validation studies were fetched, as far as they are needed, and analysed."""
    with open(cohort_table, newline="") as stream:
        found = {row["study_id"]: row for row in csv.DictReader(stream)}
    assert [row["status"] for row in found.values()] == ["ok"] * (STUDIES - 1) + ["excluded"]
    assert [row["split"] for row in found.values()] == ["validation"] * (STUDIES - 1) + ["train"]
    assert all(row["risk"] == "not_found" for row in found.values() if row["status"] == "ok")
    fetched = sorted(path.parent.name for path in (data / "train_images").rglob("*.dcm"))
    assert fetched == ["1"] * 5 * (STUDIES - 1)  # sagittal T2 of the validation studies, nothing else
