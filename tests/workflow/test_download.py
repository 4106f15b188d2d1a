"""The workflow with everything fetched first, by the real client from a stand-in of Kaggle on this machine."""

from __future__ import annotations

import pytest

import kaggle_cohort
import kaggle_stub
from kaggle_stub import KaggleStub

pytestmark = pytest.mark.workflow


def test_fetch_and_analyse_in_one_command(project, tmp_path, monkeypatch):
    files = kaggle_cohort.files(tmp_path / "dicom")
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
    kaggle_cohort.check(project.results("lstv_uncertainty_metrics.csv", "rsna"), project.root / "data/rsna")


def test_a_point_net_put_there_by_hand_stays(project, tmp_path, monkeypatch):
    """Kaggle has it no more; what is fetched is the rest."""
    files = kaggle_cohort.files(tmp_path / "dicom")
    by_hand = project.root / "resources/pointnet/00002484.pth"
    by_hand.parent.mkdir(parents=True)
    by_hand.write_bytes(files.pop("dataset/00002484.pth"))
    before = by_hand.stat().st_mtime_ns
    settings = ("--configfile", "config/rsna.yaml", "--config", "source={path: data/rsna, download: true}")
    with KaggleStub(files) as kaggle:
        variables = {"KAGGLE_USERNAME": kaggle_stub.USERNAME, "KAGGLE_KEY": kaggle_stub.KEY}
        for name, value in {**kaggle.environment({}), **variables}.items():
            monkeypatch.setenv(name, value)
        done = project.snakemake("inputs", *settings)
    assert done.returncode == 0, done.stdout
    assert by_hand.stat().st_mtime_ns == before and by_hand.with_name("valid_id.npy").is_file()


def test_a_storage_that_gives_no_parts(project, tmp_path, monkeypatch):
    """It is said, and the key that is named does it: archive in one piece, only the selected series unpacked."""
    files = kaggle_cohort.files(tmp_path / "dicom")
    source = "source={{path: data/rsna, download: true, whole_archive: {}}}"
    with KaggleStub(files) as kaggle:
        kaggle.ranges = False
        variables = {"KAGGLE_USERNAME": kaggle_stub.USERNAME, "KAGGLE_KEY": kaggle_stub.KEY}
        for name, value in {**kaggle.environment({}), **variables}.items():
            monkeypatch.setenv(name, value)
        done = project.snakemake("inputs", "--configfile", "config/rsna.yaml", "--config", source.format("false"))
        assert done.returncode != 0 and "in the workflow source.whole_archive: true" in done.stdout, done.stdout
        done = project.snakemake("inputs", "--configfile", "config/rsna.yaml", "--config", source.format("true"))
    assert done.returncode == 0, done.stdout
    data = project.root / "data/rsna"
    assert {path.parent.name for path in data.rglob("*.dcm")} == {"1"}  # sagittal T2 of the validation studies
    assert not list(data.rglob("archive.zip"))


def test_without_credentials_it_is_one_sentence(project, tmp_path, monkeypatch):
    public = {"dataset/00002484.pth": kaggle_cohort.checkpoint(), "dataset/valid_id.npy": kaggle_cohort.valid_ids()}
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
