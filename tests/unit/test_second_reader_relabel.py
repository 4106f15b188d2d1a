"""Relabelled masks: copies by one level, on a reader's word or by the rule, with what and why; originals stay."""

from __future__ import annotations

import csv
import json
import sys

import numpy as np
import pytest

import made_masks
import provenance
import relabel_masks as program
from lstv.base.cli import run
from lstv.base.errors import StudyError, UserError
from lstv.dicom import nifti
from lstv.second_reader import decisions, relabel
from lstv.second_reader.masks import read_mask
from lstv.second_reader.structures import spine


@pytest.mark.parametrize("style", ["spineps", "totalspineseg", "totalspineseg_first"])
@pytest.mark.parametrize(("names", "shift", "expected"), [
    (made_masks.USUAL, -1, ["T11", "T12", "L1", "L2", "L3", "L4", "S1"]),
    (made_masks.SIX, -1, ["T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"]),
    (made_masks.USUAL, 1, ["L1", "L2", "L3", "L4", "L5", "L6", "S1"]),
])  # fmt: skip
def test_every_name_moves_by_one_and_the_sacrum_stays(tmp_path, style, names, shift, expected):
    if style == "totalspineseg_first" and ("L6" in names or "L6" in expected):
        pytest.skip("it has no L6")
    name = "spineps" if style == "spineps" else "totalspineseg"
    source = made_masks.write(tmp_path / "in/mask.nii.gz", made_masks.labels(names, style))
    record = relabel.write(source, name, "7", shift, "for a test", tmp_path / "out")
    before, after = (spine(read_mask(path, name)) for path in (source, tmp_path / "out" / record["mask"]))
    assert list(after.vertebrae) == expected
    for (_, old), (_, new) in zip(before.vertebrae.items(), after.vertebrae.items()):
        assert new == pytest.approx(old)
    assert len(after.discs) == len(before.discs)
    assert list(after.discs)[-1] == expected[-2]
    image, copy = nifti.read(source), nifti.read(tmp_path / "out" / record["mask"])
    assert np.array_equal(image.header.affine, copy.header.affine) and copy.stored.dtype == image.stored.dtype


def test_there_and_back_is_the_same(tmp_path):
    values = made_masks.labels().astype(np.uint16)
    values[0, 0, 0] = 224  # an endplate
    numbering = made_masks.numbering("spineps")
    moved = relabel.relabelled(values, numbering, 1)
    assert moved.labels[0, 0, 0] == 225
    assert np.array_equal(relabel.relabelled(moved.labels, numbering, -1).labels, values)


@pytest.mark.parametrize(
    ("names", "shift", "words"),
    [
        (made_masks.SIX, 1, "L6 moved by +1 has no number"),
        (made_masks.THIRTEEN, -1, "has a T13"),
        (made_masks.USUAL, 2, "not one level"),
        (made_masks.USUAL, 0, "not one level"),
    ],
)
def test_what_has_no_name_is_not_moved(names, shift, words):
    with pytest.raises(StudyError, match=words.replace("+", r"\+")):
        relabel.relabelled(made_masks.labels(names).astype(np.uint16), made_masks.numbering("spineps"), shift)


def test_never_over_the_original(tmp_path):
    source = made_masks.write(tmp_path / "mask.nii.gz", made_masks.labels())
    with pytest.raises(StudyError, match="written over"):
        relabel.write(source, "spineps", "7", -1, "for a test", tmp_path)


# --- decisions --------------------------------------------------------------------------------------------------------

TABLE = [
    dict(zip(("study_id", "spineps_offset", "totalspineseg_offset", "spineps_lumbar", "totalspineseg_lumbar"), cells))
    for cells in (
        ("a", "1", "0", "6", "5"),
        ("b", "0", "0", "5", "5"),
        ("c", "-1", "-1", "5", ""),
        ("d", "2", "0", "5", "5"),
    )
]


def test_one_program_against_two():
    (found,) = decisions.outvoted(TABLE)
    assert (found.study_id, found.program, found.shift) == ("a", "spineps", -1)
    assert found.why == "rule outvoted: the point net and TotalSpineSeg agree, SPINEPS differs by +1"


def test_what_readers_say(tmp_path):
    path = tmp_path / "verdicts.csv"
    path.write_text(
        "study_id,shift,lumbar_vertebrae,reader,program\na,,5,anna,\na,,5,ben,\nb,1,,anna,spineps\n"
        "c,,4,anna,\nd,,5,anna,\nd,1,,ben,\n"
    )
    found = {
        (entry.study_id, entry.program): entry
        for entry in decisions.by_readers(path, TABLE, ["spineps", "totalspineseg"])
    }
    assert found["a", "spineps"].shift == -1 and found["a", "totalspineseg"].shift == 0
    assert found["a", "spineps"].why == "reader anna says there are 5 lumbar vertebrae, SPINEPS counts 6"
    assert found["b", "spineps"].shift == 1 and ("b", "totalspineseg") not in found
    assert found["c", "spineps"].shift == -1 and ("c", "totalspineseg") not in found
    assert found["d", "spineps"].shift == 0 and "readers differ" in found["d", "spineps"].why


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("study_id,label\na,1\n", "needs the columns"),
        ("study_id,shift\na,2\n", "line 2: shift '2'"),
        ("study_id,shift,program\na,1,spinenet\n", "line 2: program 'spinenet'"),
        ("study_id,lumbar_vertebrae\na,five\n", "line 2: lumbar_vertebrae 'five'"),
    ],
)
def test_a_list_that_is_not_understood(tmp_path, text, words):
    (tmp_path / "v.csv").write_text(text)
    with pytest.raises(UserError) as error:
        decisions.by_readers(tmp_path / "v.csv", TABLE, ["spineps"])
    assert words in str(error.value)


# --- the program ------------------------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path):
    made_masks.write(tmp_path / "spineps/sub-a_seg-vert_msk.nii.gz", made_masks.labels(made_masks.SIX))
    made_masks.write(tmp_path / "spineps/sub-b_seg-vert_msk.nii.gz", made_masks.labels(made_masks.THIRTEEN))
    with open(tmp_path / "table.csv", "w", newline="") as stream:
        writer = csv.DictWriter(stream, list(TABLE[0]))
        writer.writeheader()
        writer.writerows(TABLE)
    (tmp_path / "verdicts.csv").write_text("study_id,shift\nb,1\nc,-1\n")
    return tmp_path


def arguments(place, out="out") -> list[str]:
    return [
        *("--table", f"{place}/table.csv", "--spineps", f"{place}/spineps", "--verdicts", f"{place}/verdicts.csv"),
        *("--rule", "outvoted", "--out", f"{place}/{out}"),
    ]


def test_copies_in_a_folder_of_their_own(place, capsys):
    before = {path: path.read_bytes() for path in (place / "spineps").iterdir()}
    assert program.main(arguments(place)) == 0
    assert {path: path.read_bytes() for path in (place / "spineps").iterdir()} == before
    with open(place / "out/relabelled.csv", newline="") as stream:
        rows = {row["study_id"]: row for row in csv.DictReader(stream)}
    assert rows["a"]["status"] == "relabelled" and rows["b"]["status"] == rows["c"]["status"] == "left as it is"
    assert "has a T13" in rows["b"]["why"] and "there is no mask" in rows["c"]["why"]
    record = json.loads((place / "out/a_spineps_relabelled.json").read_text())
    assert record["shift"] == -1 and record["why"].startswith("rule outvoted")
    assert record["vertebrae"]["L6"] == "L5" and record["vertebrae"]["L1"] == "T12" and record["changed"]["125"] == 124
    assert len(record["original_sha256"]) == 64
    assert set(provenance.only(record)["made_of"]) == {"table", "verdicts"}
    assert "1 of 3 masks relabelled" in capsys.readouterr().out


def test_not_among_the_originals(place, capsys, monkeypatch):
    for wrong in (arguments(place, "spineps/new"), arguments(place)[:4] + ["--out", f"{place}/out"]):
        monkeypatch.setattr(sys, "argv", ["relabel_masks", *wrong])
        assert run(lambda wrong=wrong: program.main(wrong)) == 2
    said = capsys.readouterr().err
    assert "among the originals" in said and "--verdicts, --rule or both" in said
