"""Studies, selection, batches and the study sheet."""

from __future__ import annotations

import csv
import hashlib
import io

import numpy as np
import pytest

import study_sheet as program
from lstv.base import ids, tables
from lstv.base.errors import UserError
from lstv.cohort import batches, known_studies, rsna_layout, selection, study_sheet
from lstv.cohort.selection import Selection
from lstv.report import inputs


def rsna(root, series, files=None):
    """An RSNA folder: ``series`` = (study, series, description) rows; ``files`` = number of files by series."""
    root.mkdir(parents=True, exist_ok=True)
    with open(root / rsna_layout.SERIES_TABLE, "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("study_id", "series_id", "series_description"))
        writer.writerows(series)
    for study, number, _ in series:
        if ids.is_safe(study):
            folder = root / rsna_layout.IMAGES / study / number
            folder.mkdir(parents=True)
            for index in range((files or {}).get(number, 3)):
                (folder / f"{index}.dcm").write_bytes(b"")
    return root


def npy(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


def npz(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, values)
    return stream.getvalue()


def by_id(rows):
    return {row.study_id: row for row in rows}


def test_series_choice_most_files_then_lowest_id(tmp_path):
    t2 = rsna_layout.SAGITTAL_T2
    root = rsna(
        tmp_path,
        [
            ("1", "30", t2),
            ("1", "4", t2),
            ("1", "200", "Sagittal T1"),
            ("2", "9", t2),
            ("2", "10", t2),
            ("3", "5", "Axial T2"),
        ],
        files={"30": 5, "4": 5, "200": 99, "9": 2, "10": 7},
    )
    rows = by_id(rsna_layout.rsna_rows(root))
    assert rows["1"].series_id == "4" and rows["1"].n_slices == "5"  # 4 < 30 as numbers
    assert rows["2"].series_id == "10"
    assert rows["3"].use == "no" and "Axial T2" in rows["3"].reason and t2 in rows["3"].reason


def test_ids_stay_text(tmp_path):
    root = rsna(tmp_path, [("007", "1", rsna_layout.SAGITTAL_T2)])
    study_sheet.write_sheet(rsna_layout.rsna_rows(root), tmp_path / "sheet.csv")
    assert [row.study_id for row in study_sheet.read_sheet(tmp_path / "sheet.csv")] == ["007"]


@pytest.mark.parametrize("bad", ["../x", "..", ".hidden", "a b", "a/b", "ä"])
def test_an_id_that_cannot_name_a_file_is_a_row_of_its_own(tmp_path, bad):
    root = rsna(tmp_path, [("1", "2", rsna_layout.SAGITTAL_T2), (bad, "3", rsna_layout.SAGITTAL_T2)])
    rows = rsna_layout.rsna_rows(root)
    assert len(rows) == 2
    wrong = next(row for row in rows if row.study_id != "1")
    assert ids.is_safe(wrong.study_id) and repr(bad) in wrong.reason and not wrong.series_dir
    known = known_studies.known_studies(root / rsna_layout.SERIES_TABLE)
    assert {study.study_id for study in known} == {row.study_id for row in rows}


def test_fingerprints_change_with_a_studys_series_only(tmp_path):
    t2 = rsna_layout.SAGITTAL_T2

    def fingerprints():
        return {
            study.study_id: study.fingerprint
            for study in known_studies.known_studies(tmp_path / rsna_layout.SERIES_TABLE)
        }

    rsna(tmp_path, [("1", "2", t2), ("5", "6", t2)])
    before = fingerprints()
    with open(tmp_path / rsna_layout.SERIES_TABLE, "a") as stream:
        stream.write("5,7,Sagittal T1\n9,10,Sagittal T2/STIR\n")
    after = fingerprints()
    assert after["1"] == before["1"] and after["5"] != before["5"] and "9" in after


def test_trial_is_seeded_and_stable():
    ids = [str(number) for number in range(200)]

    def trial(ids, seed):
        left_out = selection.not_selected(dict.fromkeys(ids, "unknown"), Selection("trial", 10, seed))
        return set(ids) - set(left_out)

    assert len(trial(ids, 1)) == 10
    assert trial(ids, 1) == trial(list(reversed(ids)), 1) != trial(ids, 2)
    assert len(trial([*ids, "new"], 1) - trial(ids, 1)) <= 1


def test_validation_and_leakage(tmp_path):
    np.save(tmp_path / "valid.npy", np.array([2, 3], dtype=np.int64))
    studies = [known_studies.KnownStudy(number, "f", "unknown", "yes") for number in "1234"]
    splits = selection.split_of(studies, str(tmp_path / "valid.npy"))
    assert splits == {"1": "train", "2": "validation", "3": "validation", "4": "train"}
    for mode in ("production", "validation"):
        assert "trained on" in selection.not_selected(splits, Selection(mode))["1"]
    everything = selection.not_selected(splits, Selection("production", allow_training_studies=True))
    assert everything == {}
    assert set(selection.not_selected(splits, Selection("validation", allow_training_studies=True))) == {"1", "4"}
    with pytest.raises(UserError, match="the list of ids that the point net was not trained on is not set"):
        selection.not_selected({"1": "unknown"}, Selection("validation"))


def test_a_list_that_fits_no_study_is_refused(tmp_path):
    """Else every study would be left out, one by one, and the run would succeed."""
    studies = [known_studies.KnownStudy(number, "f", "unknown", "yes") for number in "1234"]
    (tmp_path / "ids.txt").write_text("12345\n")
    with pytest.raises(UserError, match=r"none of the 4 studies is in .*ids\.txt.*the first is 1"):
        selection.selected(studies, Selection(), str(tmp_path / "ids.txt"))
    everything = Selection(allow_training_studies=True)  # a folder of training studies alone, meant so
    assert len(selection.selected(studies, everything, str(tmp_path / "ids.txt"))) == 4
    (tmp_path / "ids.txt").write_text("# nothing yet\n")
    with pytest.raises(UserError, match="lists no study id"):
        selection.selected(studies, everything, str(tmp_path / "ids.txt"))


def test_list_selection(tmp_path):
    listing = tmp_path / "ids.txt"
    listing.write_text("# mine\n3\n1  # good one\n\n")
    splits = dict.fromkeys("1234", "unknown")
    assert set(selection.not_selected(splits, Selection("list", list=str(listing)))) == {"2", "4"}
    listing.write_text("77\n")
    with pytest.raises(UserError, match="study 77, which the source does not have"):
        selection.not_selected(splits, Selection("list", list=str(listing)))
    listing.write_text("../x\n")
    with pytest.raises(UserError, match=r"'\.\./x', which is not a study id"):
        selection.not_selected(splits, Selection("list", list=str(listing)))
    listing.write_text("# none yet\n")
    with pytest.raises(UserError, match="lists no study id"):
        selection.not_selected(splits, Selection("list", list=str(listing)))
    with pytest.raises(UserError, match="does not exist"):
        selection.not_selected(splits, Selection("list", list=str(tmp_path / "none.txt")))
    with pytest.raises(UserError, match="is a folder; it must be a list of study ids"):
        selection.not_selected(splits, Selection("list", list=str(tmp_path)))


@pytest.mark.parametrize(
    ("studies", "size", "count"), [(20, 8, 4), (2000, 128, 16), (1, 128, 1), (20, 1, 0), (0, 8, 1)]
)
def test_batch_count_is_a_power_of_two(studies, size, count):
    assert batches.batch_count(studies, size) == count


def test_batches_of_an_earlier_division_are_known_by_their_names():
    names = ["batch-0001-of-0004", "batch-0001-of-0002", "batch-0000-of-16384", "7", "8", "mine"]
    assert batches.outgrown("batch-0000-of-0004", {"7", "9"}, names) == {*names[1:3], "7"}
    assert batches.outgrown("7", {"7"}, names) == set(names[:3])
    assert batches.outgrown("mine", {"7", "8"}, names) == set()


def test_batches_are_even_and_stable():
    ids = [str(number) for number in range(4000)]
    sizes = {}
    for study in ids:
        sizes[batches.batch_of(study, 16)] = sizes.get(batches.batch_of(study, 16), 0) + 1
    assert len(sizes) == 16 and max(sizes.values()) < 1.3 * 250
    assert batches.batch_of("123", 0) == "123"
    assert batches.batch_of("123", 16) == batches.batch_of("123", 16)


def supplied(tmp_path, text):
    path = tmp_path / "my_sheet.csv"
    path.write_text(text)
    return path


def test_supplied_sheet(tmp_path):
    path = supplied(
        tmp_path,
        "study_id,series_dir,use,split\nb,/data/b,,train\na,/data/a,no,\n../x,/data/x,yes,\nc,,yes,validation\n",
    )
    rows = by_id(study_sheet.sheet_rows(path))
    assert rows["b"].use == "yes" and rows["b"].split == "train"
    assert rows["a"].use == "no"
    assert "names no series_dir" in rows["c"].reason
    assert len(rows) == 4
    planned = selection.selected(known_studies.known_studies(path), Selection(), None)
    written = selection.apply_selection(list(rows.values()), Selection(), None)
    assert set(planned) == {row.study_id for row in written if row.use == "yes"}
    assert "b" not in planned and "trained on" in by_id(written)["b"].reason


@pytest.mark.fault("mistakes in a sheet of the user's own", "one sentence with file and line")
def test_supplied_sheet_mistakes(tmp_path):
    with pytest.raises(UserError, match="line 3: study a is listed twice"):
        study_sheet.sheet_rows(supplied(tmp_path, "study_id,series_dir\na,x\na,y\n"))
    with pytest.raises(UserError, match="no column series_dir"):
        study_sheet.sheet_rows(supplied(tmp_path, "study_id\na\n"))
    for begin in ("", "\n"):
        with pytest.raises(UserError, match="is separated by semicolons; save it as CSV with commas"):
            study_sheet.sheet_rows(supplied(tmp_path, f"{begin}study_id;series_dir\na;x\n"))
    (tmp_path / "excel.csv").write_bytes("study_id,series_dir\n".encode("utf-16"))
    with pytest.raises(UserError, match="is not text in UTF-8; save it as CSV in UTF-8"):
        study_sheet.sheet_rows(tmp_path / "excel.csv")
    with pytest.raises(UserError, match="'maybe', but must be yes or no"):
        study_sheet.sheet_rows(supplied(tmp_path, "study_id,series_dir,use\na,x,maybe\n"))
    with pytest.raises(UserError, match="does not exist"):
        study_sheet.sheet_rows(tmp_path / "none.csv")
    with pytest.raises(UserError, match="is separated by tabs; save it as CSV with commas"):
        study_sheet.sheet_rows(supplied(tmp_path, "study_id\tseries_dir\na\tx\n"))
    with pytest.raises(UserError, match="is empty; its first line must name study_id, series_dir"):
        study_sheet.sheet_rows(supplied(tmp_path, "\n"))
    with pytest.raises(UserError, match="is a folder; name a CSV file"):
        study_sheet.sheet_rows(tmp_path)


def test_blanks_before_a_quoted_cell(tmp_path):
    text = 'study_id, series_dir\na, "x, y"\nb,  "z"\n'
    rows = tables.read_table(supplied(tmp_path, text), ["study_id"])
    assert rows == [{"study_id": "a", "series_dir": "x, y"}, {"study_id": "b", "series_dir": "z"}]


@pytest.mark.parametrize(
    "rows",
    [
        'a,x,"T2 sag\nb,x,T2\nc,x,T2\n',
        'a,x,"T2 sag\nb,x,T2\nc,x,"T2\nd,x,T2\n',
        'a,x,"T2 sag' + "\nb,x,T2" * 20_000,
        'a,x,"T2 sag',
    ],
    ids=["the last lines", "the lines between", "more than a cell can hold", "no line"],
)
@pytest.mark.fault("a quotation mark that is not closed in a table", "one sentence with file and line; no row is lost")
def test_a_stray_quotation_mark_loses_no_study(tmp_path, rows):
    said = "line 2: a quotation mark is not closed and would swallow the lines after it"
    path = supplied(tmp_path, "study_id,series_dir,series_description\n" + rows)
    if rows.endswith("sag"):
        assert len(study_sheet.sheet_rows(path)) == 1
    else:
        with pytest.raises(UserError, match=said):
            study_sheet.sheet_rows(path)


def test_quoted_cells_may_have_lines_and_quotation_marks_and_blanks_after_them(tmp_path):
    text = 'study_id,series_dir,series_description\na,"x" ,"T2 ""sag""\nFS, 3 mm"\nb,x,T2 "fs"\n'
    rows = tables.read_table(supplied(tmp_path, text), ["study_id"])
    assert [row["study_id"] for row in rows] == ["a", "b"]
    assert rows[0]["series_description"] == 'T2 "sag"\nFS, 3 mm'


@pytest.mark.parametrize(
    ("split", "hint"), [("training", "or unknown."), ("Train", r"\(in small letters\)"), ("0", "train, validation")]
)
def test_a_split_that_is_none_passes_nowhere(tmp_path, split, hint):
    """Else a study that the point net was trained on would enter unmarked."""
    path = supplied(tmp_path, f"study_id,series_dir,split\na,x,\nb,y,{split}\n")
    for read in (study_sheet.sheet_rows, known_studies.known_studies):
        with pytest.raises(UserError, match=f"line 3: split is {split!r}, but must be .*{hint}"):
            read(path)


def test_mistakes_of_a_sheet_are_known_before_any_job(tmp_path):
    with pytest.raises(UserError, match="line 3: study a is listed twice"):
        known_studies.known_studies(supplied(tmp_path, "study_id,series_dir\na,x\na,y\n"))
    with pytest.raises(UserError, match="'maybe', but must be yes or no"):
        known_studies.known_studies(supplied(tmp_path, "study_id,series_dir,use\na,x,maybe\n"))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("ids.txt", "Müller\n".encode("latin-1"), "is not text in UTF-8; save it as text in UTF-8"),
        ("ids.txt", "1\n2\n".encode("utf-16"), "is not text in UTF-8; save it as text in UTF-8"),
        ("ids.npy", b"", "is not a NumPy file of study ids"),
        ("ids.npy", b"1\n2\n", "is not a NumPy file of study ids"),
        ("ids.npy", npy(np.array([1.0, 2.0])), "does not contain an array of integers or strings"),
        ("ids.npy", npy(np.array([True])), "does not contain an array of integers or strings"),
        ("ids.npy", npz(np.array([1])), "does not contain an array of integers or strings"),
        ("ids.npy", npz(np.array([1]))[:40], "is not a NumPy file of study ids"),
    ],
)
@pytest.mark.fault("what is not a list of ids", "one sentence")
def test_what_is_no_list_of_ids(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name} .*{sentence}"):
        ids.read_ids(tmp_path / name)
    (tmp_path / f"{name}.sha256").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="sha256 cannot be read"):
        ids.read_ids(tmp_path / name)


def test_studies_in_rsna_images_need_a_split_in_a_sheet_of_ones_own(tmp_path):
    root = rsna(tmp_path / "rsna", [("1", "2", rsna_layout.SAGITTAL_T2)])
    inside = f"{root}/train_images/1/2"
    (tmp_path / "list.txt").write_text(f"{inside}/1.dcm\n")
    (tmp_path / "loop").symlink_to("loop")
    path = supplied(
        tmp_path,
        f"study_id,series_dir,split,use\na,{inside},,\nb,{inside},validation,\nc,{inside},,no\nd,{tmp_path}/x,,\n"
        f"e,{tmp_path}/list.txt,,\nf,{tmp_path}/loop,,\n",
    )
    arguments = ["--kind", "sheet", "--path", str(path), "--out", str(tmp_path / "out.csv")]
    assert program.main(arguments) == 0
    rows = by_id(study_sheet.read_sheet(tmp_path / "out.csv"))
    assert rows["f"].series_dir  # what is wrong with it, its reading will say
    for study in "ae":
        assert not rows[study].series_dir and "nothing tells whether the point net was trained" in rows[study].reason
    assert rows["a"].use == "yes"  # it fails, so it is accounted for
    assert rows["b"].series_dir == inside and rows["d"].series_dir and rows["c"].use == "no" and not rows["c"].reason
    (tmp_path / "ids.txt").write_text("a\n")
    assert program.main([*arguments, "--valid-ids", str(tmp_path / "ids.txt")]) == 0
    rows = by_id(study_sheet.read_sheet(tmp_path / "out.csv"))
    assert rows["a"].series_dir == inside and rows["a"].split == "validation" and rows["d"].split == "train"


def test_rsna_studies_need_the_list_of_validation_ids_by_hand_too(tmp_path):
    root = rsna(tmp_path / "rsna", [("1", "2", rsna_layout.SAGITTAL_T2)])
    with pytest.raises(UserError, match="--kind rsna needs --valid-ids"):
        program.main(["--kind", "rsna", "--path", str(root), "--out", str(tmp_path / "out.csv")])
    assert program.main(["--kind", "demo", "--path", str(root), "--out", str(tmp_path / "out.csv")]) == 0


def test_lines_are_counted_as_an_editor_counts_them(tmp_path):
    path = supplied(tmp_path, 'study_id,series_dir\n\na,"x\ny"\n,,\na,z\n')
    with pytest.raises(UserError, match="line 6: study a is listed twice"):
        study_sheet.sheet_rows(path)
    with pytest.raises(UserError, match="line 3: the study_id is empty"):
        study_sheet.sheet_rows(supplied(tmp_path, "study_id,series_dir\na,x\n,y\n"))


def test_ids_are_held_to_their_recorded_sha256(tmp_path):
    path = tmp_path / "valid_id.npy"
    np.save(path, np.array([2, 3]))
    assert ids.read_ids(path) == {"2", "3"}  # put there by hand: nothing is recorded
    record = tmp_path / "valid_id.npy.sha256"
    record.write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  valid_id.npy\n")
    assert ids.read_ids(path) == {"2", "3"}
    np.save(path, np.array([2, 3, 4]))
    with pytest.raises(UserError, match=f"{path} is not the file whose sha256 is recorded"):
        ids.read_ids(path)


TEXT_IDS = (
    "NULL",
    "NA",
    "nan",
    "None",
    "007",
    "1e5",
    "1.2.3",
    "".join(map(str, range(200)))[:200],
    "a-",
    "10000000000000000000",
)
WRONG_IDS = {
    "-rf": "begins with a hyphen",
    "--help": "begins with a hyphen",
    "y" * 201: "(201 characters) is longer than 200 characters",
    "z" * 300: "(300 characters)",
    "1000000000000000000000": "ends in 20 equal parts",
    "x" + "ab" * 20: "ends in 20 equal parts",
    "a\0b": r"'a\x00b' cannot name a file",
    "a\nb": r"'a\nb' cannot name a file",
    ".hidden": "the first no dot",
    "a/b": "cannot name a file",
    "\u00fc": "cannot name a file",
    "=1": "cannot name a file",
}


@pytest.mark.parametrize("study", TEXT_IDS)
@pytest.mark.fault("ids such as NULL, NA, nan, 007, 1e5", "text like any other id")
def test_ids_that_are_text_like_others(study):
    assert ids.is_safe(study) and ids.safe_id(study) == study


@pytest.mark.parametrize("study", WRONG_IDS)
@pytest.mark.fault(
    "ids that begin with a hyphen or dot, are too long, periodic, hold NUL, line breaks or letters beyond ASCII",
    "a failed row with the true reason, split unknown",
)
def test_a_wrong_id_is_a_row_with_the_true_reason_in_every_source_and_mode(tmp_path, study):
    with open(tmp_path / "sheet.csv", "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("study_id", "series_dir"), (study, "x"), ("good", "y")])
    root = rsna(tmp_path / "rsna", [("1", "2", rsna_layout.SAGITTAL_T2)])
    with open(root / rsna_layout.SERIES_TABLE, "a", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerow((study, "3", rsna_layout.SAGITTAL_T2))
    (tmp_path / "ids.txt").write_text("good\n1\n")
    for rows, table in (
        (study_sheet.sheet_rows(tmp_path / "sheet.csv"), tmp_path / "sheet.csv"),
        (rsna_layout.rsna_rows(root), root / rsna_layout.SERIES_TABLE),
    ):
        for chosen in (Selection(), Selection("validation"), Selection("trial", trial_studies=1)):
            written = selection.apply_selection(rows, chosen, str(tmp_path / "ids.txt"))
            (row,) = [row for row in written if ids.is_stand_in(row.study_id)]
            assert WRONG_IDS[study] in row.reason and row.split == "unknown"
            assert row.use == "yes" and not row.series_dir  # so it fails with this reason, and is counted
            planned = selection.selected(known_studies.known_studies(table), chosen, str(tmp_path / "ids.txt"))
            assert set(planned) == {row.study_id for row in written if row.use == "yes"}


@pytest.mark.fault("a series id that cannot name a folder", "a failed row with that reason")
def test_a_series_id_that_cannot_name_a_folder_is_the_reason(tmp_path):
    root = rsna(tmp_path / "rsna", [("1", "2", rsna_layout.SAGITTAL_T2)])
    table = root / rsna_layout.SERIES_TABLE
    table.write_text(
        f"study_id,series_id,series_description\n5,a b,{rsna_layout.SAGITTAL_T2}\n6,,{rsna_layout.SAGITTAL_T2}\n"
        f"7,{'9' * 300},{rsna_layout.SAGITTAL_T2}\n"
    )
    rows = by_id(rsna_layout.rsna_rows(root))
    assert "the series id 'a b' cannot name a file" in rows["5"].reason and rows["5"].use == "yes"
    assert "the series id is empty" in rows["6"].reason and "(300 characters)" in rows["7"].reason


def test_the_report_reads_ids_as_text(tmp_path):
    header = ",".join(inputs.REQUIRED)
    blank = "," * (len(inputs.REQUIRED) - 2)
    lines = [f"{study}{blank}failed,because" for study in TEXT_IDS]
    (tmp_path / "t.csv").write_text(f"{header}\n" + "\n".join(lines) + "\n")
    frame = inputs.read_table(tmp_path / "t.csv")
    assert list(frame["study_id"]) == list(TEXT_IDS)
    assert frame["l5_s1_entropy"].isna().all()
