"""The workflow with everything fetched first, by the real client from a stand-in of Kaggle on this machine."""

from __future__ import annotations

import csv
import io
import zipfile

import numpy as np
import pytest
import torch

import kaggle_stub
from dicom_files import textured_volume, write_series
from kaggle_stub import KaggleStub
from lstv.pointnet import PointNet

pytestmark = pytest.mark.workflow

FIRST = 4_000_000
STUDIES = 4


def checkpoint() -> bytes:
    """A file of the published form, though small: each entry is one number, so the network finds nothing anywhere."""
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in PointNet().state_dict().items()}
    state = {}
    for name, shape in shapes.items():
        value = torch.tensor(float(name.endswith(("running_var", "std"))))
        state[name] = value.expand(shape) if shape else value
    stream = io.BytesIO()
    torch.save({"state_dict": state}, stream)
    return stream.getvalue()


def valid_ids() -> bytes:
    """283 ids, as published; the last of the archive's studies is not among them."""
    stream = io.BytesIO()
    np.save(stream, np.arange(FIRST, FIRST + 283) + np.where(np.arange(283) >= STUDIES - 1, 1000, 0))
    return stream.getvalue()


def archive(folder) -> tuple[bytes, str]:
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


def test_fetch_and_analyse_in_one_command(project, tmp_path, monkeypatch):
    content, table = archive(tmp_path / "dicom")
    files = {
        "dataset/00002484.pth": checkpoint(),
        "dataset/valid_id.npy": valid_ids(),
        "competition/archive.zip": content,
        "competition/train_series_descriptions.csv": table.encode(),
    }
    settings = ("--configfile", "config/rsna.yaml", "--config", "source={path: data/rsna, download: true}")
    with KaggleStub(files) as kaggle:
        variables = {"KAGGLE_USERNAME": kaggle_stub.USERNAME, "KAGGLE_KEY": kaggle_stub.KEY}
        for name, value in {**kaggle.environment({}), **variables}.items():
            monkeypatch.setenv(name, value)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        plan = project.snakemake("--quiet", "rules", "-n", *settings)
        assert plan.returncode == 0 and "fetch_pointnet" in plan.stdout and not kaggle.log, plan.stdout
        done = project.snakemake(*settings)
        assert done.returncode == 0, done.stdout
        assert kaggle_stub.KEY not in done.stdout
        asked = len(kaggle.log)
        again = project.snakemake(*settings)
        assert "Nothing to be done" in again.stdout and len(kaggle.log) == asked, again.stdout
    with open(project.results("lstv_uncertainty_metrics.csv", "rsna"), newline="") as stream:
        found = {row["study_id"]: row for row in csv.DictReader(stream)}
    assert [row["status"] for row in found.values()] == ["ok"] * (STUDIES - 1) + ["excluded"]
    assert [row["split"] for row in found.values()] == ["validation"] * (STUDIES - 1) + ["train"]
    assert all(row["risk"] == "not_found" for row in found.values() if row["status"] == "ok")
    fetched = sorted(path.parent.name for path in (project.root / "data/rsna/train_images").rglob("*.dcm"))
    assert fetched == ["1"] * 5 * (STUDIES - 1)  # sagittal T2 of the validation studies, nothing else


def test_without_credentials_it_is_one_sentence(project, tmp_path, monkeypatch):
    public = {"dataset/00002484.pth": checkpoint(), "dataset/valid_id.npy": valid_ids()}
    with KaggleStub(public) as kaggle:
        for name, value in {**kaggle.environment({}), "HOME": str(tmp_path / "home")}.items():
            monkeypatch.setenv(name, value)
        for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        settings = ("--configfile", "config/rsna.yaml", "--config", "source={path: data/rsna, download: true}")
        done = project.snakemake(*settings)
    assert done.returncode != 0
    assert "Error: " in done.stdout and "KAGGLE_API_TOKEN" in done.stdout
    assert "Traceback" not in done.stdout
