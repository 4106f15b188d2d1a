"""Contact sheets: all series of a scanned study, with pictures of those that could be chosen and the line to choose one."""

from __future__ import annotations

import csv
import re
import shutil
import zipfile

import pytest

import contact_sheet
import scan_folder
from dicom_files import AXIAL, textured_volume, write_series
from lstv.base.errors import UserError

STUDY = "1.2.3.4"
SECRETS = {"PatientName": "DOE^JANE", "PatientID": "4711-0815", "StudyDate": "19991231"}
SPIN = {"ScanningSequence": "SE", "SequenceVariant": "NONE", "Modality": "MR", "StudyInstanceUID": STUDY}


@pytest.fixture
def export(tmp_path):
    """A study with a T2 and a T1 series, both sagittal, an axial one, and a T2 series in a zip file."""
    root = tmp_path / "DOE_JANE"
    common = {**SPIN, **SECRETS, "pixel_spacing": (3.0, 3.0)}
    t2, t1 = {"RepetitionTime": 3000, "EchoTime": 100}, {"RepetitionTime": 600, "EchoTime": 10}
    shape = (9, 90, 80)
    write_series(root / "t2", textured_volume(shape), SeriesDescription="Sag T2 DOE", **t2, **common)
    write_series(root / "t1", textured_volume(shape, seed=1), SeriesDescription="Sag T1", **t1, **common)
    write_series(
        root / "ax", textured_volume((9, 90, 80), seed=2), SeriesDescription="Ax T2", orientation=AXIAL, **t2, **common
    )
    packed = write_series(
        tmp_path / "packed", textured_volume((7, 90, 80), seed=3), SeriesDescription="Sag T2", **t2, **common
    )
    with zipfile.ZipFile(root / "more.zip", "w") as archive:
        for path in packed:
            archive.write(path, path.name)
    shutil.rmtree(tmp_path / "packed")
    return root


def scanned(export, tmp_path) -> list[dict[str, str]]:
    lists = tmp_path / "private" / "series"
    arguments = [
        "--folder",
        str(export),
        "--out",
        str(tmp_path / "r" / "s.csv"),
        "--series-lists",
        str(lists),
        "--jobs",
        "1",
    ]
    assert (
        scan_folder.main([*arguments, "--all-series", str(tmp_path / "r" / "all.csv"), "--key", str(tmp_path / "key")])
        == 0
    )
    with open(tmp_path / "r" / "all.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_series_has_its_line_and_sagittal_ones_have_pictures(export, tmp_path):
    rows = scanned(export, tmp_path)
    out = tmp_path / "r" / "contact.html"
    study = rows[0]["study_id"]
    arguments = ["--folder", str(export), "--key", str(tmp_path / "key"), "--study", study, "--out", str(out)]
    assert contact_sheet.main(arguments) == 0
    text = out.read_text("utf-8")
    sections = re.findall(r"<section.*?</section>", text, re.DOTALL)
    assert len(sections) == len(rows) == 4
    for row in rows:
        (section,) = (one for one in sections if f"<code>{study},{row['series_id']}</code>" in one)
        assert section.count("data:image/webp") == (3 if row["plane"] == "sagittal" else 0)
        assert ('class="chosen"' in section) == (row["chosen"] == "yes")
        assert ("No picture: only sagittal stacks are shown" in section) == (row["plane"] != "sagittal")
    assert 'class="chosen"' in sections[0]
    for secret in ("DOE", "4711-0815", "19991231", STUDY, str(tmp_path)):
        assert secret not in text
    first = out.read_bytes()
    assert contact_sheet.main(arguments) == 0 and out.read_bytes() == first


def test_choice_of_the_user_is_the_one_marked(export, tmp_path):
    rows = scanned(export, tmp_path)
    (t1,) = (row for row in rows if row["plane"] == "sagittal" and "T1" in row["weighting"])
    (tmp_path / "choices.csv").write_text(f"study_id,series_id\n{t1['study_id']},{t1['series_id']}\n")
    out = tmp_path / "r" / "contact.html"
    more = ["--study", t1["study_id"], "--choices", str(tmp_path / "choices.csv"), "--out", str(out)]
    assert contact_sheet.main(["--folder", str(export), "--key", str(tmp_path / "key"), *more]) == 0
    section = next(
        one for one in re.findall(r"<section.*?</section>", out.read_text(), re.DOTALL) if 'class="chosen"' in one
    )
    assert t1["series_id"] in section


def test_mistakes_are_a_sentence(export, tmp_path):
    with pytest.raises(UserError, match="--study nobody is not in"):
        contact_sheet.main(
            ["--folder", str(export), "--ids", "uid", "--study", "nobody", "--out", str(tmp_path / "x.html")]
        )
    with pytest.raises(UserError, match="need the key of the scan"):
        contact_sheet.main(["--folder", str(export), "--study", STUDY, "--out", str(tmp_path / "x.html")])
