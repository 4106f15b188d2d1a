"""The choice of the sagittal T2 series and the reasons in words."""

from __future__ import annotations

import numpy as np
import pytest

from folder_tree import AXIAL, BARE, CORONAL, SAGITTAL, STIR, T1, image, save
from lstv.dicom.headers import headers, read
from lstv.folder.choose import choose, judge, plane, weighting
from lstv.folder.series import build_studies, uid_order


def _study(tmp_path, *series: list):
    """A study of series, each a list of data sets."""
    found = {}
    for number, datasets in enumerate(series):
        for index, dataset in enumerate(datasets):
            path = save(tmp_path / f"{number}_{index:04d}", dataset)
            with open(path, "rb") as stream:
                for header in headers(read(stream)):
                    found.setdefault(header.shared, []).append((str(path), header.frame, header.own))
    (study,) = build_studies(found)
    return study


def _stack(series: str = "1.2.3.1", count: int = 15, **values):
    return [image("1.2.3", series, n, **values) for n in range(count)]


def _facts(tmp_path, **values):
    return _study(tmp_path, _stack(count=1, **values)).facts


def _tilted(degrees: float) -> tuple[float, ...]:
    angle = np.radians(degrees)
    return (float(np.sin(angle)), float(np.cos(angle)), 0.0, 0.0, 0.0, -1.0)


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (SAGITTAL, "sagittal"), (AXIAL, "axial"), (CORONAL, "coronal"), (_tilted(30), "sagittal"),
        (_tilted(-44), "sagittal"),
        (_tilted(46), "coronal"), ((0.0, -1.0, 0.0, 0.0, 0.0, 1.0), "sagittal"), (None, "unknown"), ((0.0,) * 6, "unknown"),
        ((-0.6247, 0.7809, 0.0, -0.4134, -0.3307, 0.8484), "oblique"),  # 48 degrees from left-right, nearer to no other axis
    ],
)  # fmt: skip
def test_plane(tmp_path, orientation, expected):
    dataset = image("1.2.3", "1.2.3.1", 0)
    if orientation is None:
        del dataset.ImageOrientationPatient
    else:
        dataset.ImageOrientationPatient = [f"{v:.6f}" for v in orientation]
    assert plane(_study(tmp_path, [dataset]).facts) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "T2"),
        ({"SeriesDescription": "T1 sag"}, "T2"),  # the times are right, the name is not
        ({**T1, "SeriesDescription": "T2 sag"}, "T1"),
        (STIR, "STIR"),
        ({**STIR, "InversionTime": None, "SeriesDescription": "t2_tirm_sag"}, "STIR"),
        ({**BARE, "SeriesDescription": "STIR SAG"}, "STIR"),
        ({**STIR, "InversionTime": 900, "EchoTime": 12, "RepetitionTime": 2200}, "T1"),
        ({**STIR, "InversionTime": 2400, "EchoTime": 90, "RepetitionTime": 9000}, "FLAIR"),
        ({"InversionTime": 90}, "T2"),  # a fat saturation delay, not an inversion
        ({"EchoTime": 25, "RepetitionTime": 3000}, "proton density or intermediate"),
        (
            {"ScanningSequence": "GR", "EchoTime": 22, "RepetitionTime": 500, "SeriesDescription": "T2* MEDIC"},
            "gradient echo",
        ),
        ({"ScanningSequence": "EP", "SeriesDescription": "ep2d_diff"}, "diffusion or echo planar"),
        ({"EchoTime": 800}, "myelography"),
        ({"ScanOptions": "FS"}, "T2 fat-suppressed"),
        ({"SeriesDescription": "T2 SAG SPAIR"}, "T2 fat-suppressed"),
        ({"SeriesDescription": "t2_haste_sag", "RepetitionTime": 1200}, "T2 single-shot"),
        ({"SeriesDescription": "t2_tse_dixon_sag_in"}, "T2 in phase"),
        (
            {"SeriesDescription": "t2_tse_dixon_sag", "ImageType": ["DERIVED", "PRIMARY", "DIXON", "WATER"]},
            "T2 fat-suppressed",
        ),
        ({**BARE, "SeriesDescription": "腰椎T2矢状位"}, "T2"),
        ({**BARE, "SeriesDescription": "Т2 сагиттальный"}, "T2"),
        ({**BARE, "SeriesDescription": "", "ProtocolName": "SAG T2 FRFSE"}, "T2"),
        ({**BARE, "SeriesDescription": "T1 sag"}, "T1"),
        ({**BARE, "SeriesDescription": "sag"}, "unknown"),
    ],
)
def test_weighting(tmp_path, values, expected):
    assert weighting(_facts(tmp_path, **values)) == expected


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"orientation": AXIAL}, "axial"),
        (T1, "T1"),
        ({**BARE, "SeriesDescription": "sag"}, "neither times nor name"),
        ({"count": 3}, "3 slice positions"),
        ({"count": 1}, "1 slice position,"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"SeriesDescription": "T2 Survey"}, "localizer"),
        ({"ImageType": ["DERIVED", "SECONDARY", "MPR"]}, "reformatted"),
        ({"ImageType": ["DERIVED", "SECONDARY", "PROJECTION IMAGE", "MIP"]}, "projection"),
        ({"ImageType": ["DERIVED", "SECONDARY", "M", "SUBTRACTION"]}, "subtraction"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "screen capture"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}, "phase"),
        ({"ImageType": ["DERIVED", "PRIMARY", "DIXON", "FAT"]}, "fat image"),
        ({"SeriesDescription": "t2_tse_dixon_sag_F"}, "fat image"),
        ({"SeriesDescription": "t2_tse_dixon_sag_opp"}, "opposed"),
        ({"NumberOfFrames": 20}, "describe none of"),
        ({"PixelSpacing": None}, "PixelSpacing is missing"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4.2"}, "spectroscopy"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "screenshot"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.22"}, "structured report"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1"}, "document"),
        ({"Modality": "CT", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, "CT"),
        ({"SeriesDescription": "HWS T2 sag"}, "cervical"),
        ({"StudyDescription": "", "BodyPartExamined": "CSPINE"}, "cervical"),
        ({"StudyDescription": "MRT BWS"}, "thoracic"),
        ({"StudyDescription": "MRI knee", "SeriesDescription": "pd t2 sag"}, "another body part"),
        ({"PixelSpacing": [1.0, 1.0]}, "640 mm high, a whole-spine"),
        ({"PixelSpacing": [0.1, 0.1]}, "64 mm high, too low"),
    ],
)
def test_what_disqualifies(tmp_path, values, part):
    choice = choose(_study(tmp_path, _stack(**values)))
    assert choice.chosen is None
    assert part in choice.judgements["1.2.3.1"].reason
    assert part in choice.reason


def test_no_orientation_but_named_sagittal(tmp_path):
    datasets = _stack(SeriesDescription="T2 SAG")
    for dataset in datasets:
        del dataset.ImageOrientationPatient
    assert "named sagittal" in choose(_study(tmp_path, datasets)).reason


@pytest.mark.parametrize(
    "values",
    [
        {"StudyDescription": "", "BodyPartExamined": ""},
        {"StudyDescription": "LWS", "BodyPartExamined": "CSPINE"},  # left over from the examination before
        {"StudyDescription": "MRI cervical and lumbar spine"},
        {"StudyDescription": "Spine", "BodyPartExamined": "SPINE"},
        {"SeriesDescription": "t2 sag thoracolumbar"},
        {"ImageType": ["DERIVED", "PRIMARY", "M", "ND"]},
    ],
)
def test_what_does_not_disqualify(tmp_path, values):
    assert choose(_study(tmp_path, _stack(**values))).chosen is not None


@pytest.mark.parametrize(
    ("worse", "why"),
    [
        ({**STIR, "count": 30}, "it is STIR, the chosen one T2"),
        ({"count": 30, "ScanOptions": "FS"}, "it is T2 fat-suppressed, the chosen one T2"),
        ({"count": 30, "StudyDescription": ""}, "it shows an unnamed region, the chosen one lumbar"),
        ({"count": 30, "MRAcquisitionType": "3D"}, "it is a 3-D acquisition, the chosen one 2-D"),
        ({"count": 30, "ImageType": ["DERIVED", "PRIMARY", "M"]}, "it is derived, the chosen one original"),
        ({"count": 30, "PixelSpacing": [0.25, 0.25]}, "its field of view is unusual, that of the chosen one not"),
        ({"count": 14}, "it has 14 slices, the chosen one 15"),
    ],
)
def test_order_of_preference(tmp_path, worse, why):
    """The worse series has the lower UID, so that the UID cannot be what decides."""
    choice = choose(_study(tmp_path, _stack("1.2.3.9"), _stack("1.2.3.1", **worse)))
    assert choice.chosen.stack.facts.series_uid == "1.2.3.9"
    assert choice.judgements["1.2.3.1"].reason == why
    assert choice.reason == "chosen of 2 sagittal T2 series"


def test_equal_series_lowest_uid_by_number(tmp_path):
    choice = choose(_study(tmp_path, _stack("1.2.3.10"), _stack("1.2.3.9")))
    assert choice.chosen.stack.facts.series_uid == "1.2.3.9"
    assert "UID or name comes later" in choice.judgements["1.2.3.10"].reason


def test_stir_is_taken_where_there_is_no_t2(tmp_path):
    choice = choose(_study(tmp_path, _stack("1.2.3.1", **T1), _stack("1.2.3.2", **STIR)))
    assert choice.chosen.weighting == "STIR"


def test_stations_of_a_whole_spine_examination(tmp_path):
    """Three stations in one frame of reference without a region in their names: the lowest is the lumbar one."""

    def station(series: str, top: float):
        return [image("1.2.3", series, n, StudyDescription="Whole Spine", at=(4.4 * n, -120.0, top)) for n in range(15)]

    choice = choose(_study(tmp_path, station("1.2.3.1", 640.0), station("1.2.3.2", 390.0), station("1.2.3.3", 140.0)))
    assert choice.chosen.stack.facts.series_uid == "1.2.3.3"
    assert choice.judgements["1.2.3.1"].reason == "it lies 500 mm above another sagittal T2 series of the study"


def test_a_higher_series_named_lumbar_is_no_upper_station(tmp_path):
    higher = [image("1.2.3", "1.2.3.1", n, at=(4.4 * n, -120.0, 260.0)) for n in range(16)]
    assert choose(_study(tmp_path, higher, _stack("1.2.3.2"))).chosen.stack.facts.series_uid == "1.2.3.1"


def test_stations_in_one_series_are_refused(tmp_path):
    datasets = [image("1.2.3", "1.2.3.1", n, at=(4.4 * (n % 15), -120.0, 140.0 + 250 * (n // 15))) for n in range(30)]
    assert "several stations" in choose(_study(tmp_path, datasets)).reason


def test_two_echoes_in_one_series(tmp_path):
    """Only the images with the long echo are handed on."""
    datasets = [
        image("1.2.3", "1.2.3.1", n // 2, EchoTime=(15, 105)[n % 2], SOPInstanceUID=f"1.2.3.1.{n + 1}")
        for n in range(30)
    ]
    choice = choose(_study(tmp_path, datasets))
    assert len(choice.chosen.stack.images) == 15
    assert choice.chosen.stack.facts.echo_time == 105


def test_localizer_images_within_a_series_are_left_out(tmp_path):
    datasets = _stack() + [image("1.2.3", "1.2.3.1", 20 + n, orientation=AXIAL) for n in range(3)]
    choice = choose(_study(tmp_path, datasets))
    assert choice.chosen.stack.n_slices == 15


def test_patients_mixed_in_one_series(tmp_path):
    datasets = _stack()
    datasets[3].PatientID = "someone else"
    assert "2 different patients" in choose(_study(tmp_path, datasets)).reason


def test_patients_mixed_in_one_study(tmp_path):
    """Each series is one patient's, but they share a StudyInstanceUID."""
    second = _stack("1.2.3.2")
    for dataset in second:
        dataset.PatientID = "someone else"
    study = _study(tmp_path, _stack("1.2.3.1"), second)
    choice = choose(study)
    assert choice.chosen is None and "its series name 2 different patients" in choice.reason
    assert choose(study, "1.2.3.2").reason == "chosen by the user"


def test_choice_of_the_user(tmp_path):
    study = _study(tmp_path, _stack("1.2.3.1"), _stack("1.2.3.2", **T1))
    choice = choose(study, "1.2.3.2")
    assert choice.chosen.stack.facts.series_uid == "1.2.3.2"
    assert choice.reason == "chosen by the user"
    assert choice.judgements["1.2.3.1"].reason == "the user chose another series"


def test_field_of_view_runs_along_the_body(tmp_path):
    study = _study(tmp_path, _stack(Rows=640, Columns=320, PixelSpacing=[0.5, 0.25]))
    series = study.series["1.2.3.1"]
    assert series.stacks[0].height == pytest.approx(320.0)
    assert series.stacks[0].centre_z == pytest.approx(140.0 - 160.0)
    assert judge(series.stacks[0], series).usable


# --- names that say something else than the series ----------------------------------------------------------------------


def test_a_protocol_name_of_the_whole_examination_is_no_name_of_the_series(tmp_path):
    """On GE scanners; and wherever several series of other descriptions share it."""
    for maker in ("GE MEDICAL SYSTEMS", ""):
        names = {"Manufacturer": maker, "ProtocolName": "L-SPINE/STIR"}
        t2 = _stack("1.2.3.1", SeriesDescription="SAG T2 FSE", **names)
        stir = _stack("1.2.3.2", 17, SeriesDescription="SAG STIR", **STIR, **names)
        choice = choose(_study(tmp_path / (maker or "unknown"), t2, stir))
        assert choice.chosen.stack.facts.series_uid == "1.2.3.1"
        assert [judgement.weighting for judgement in choice.judgements.values()] == ["T2", "STIR"]


def test_a_region_that_the_protocol_of_an_examination_names(tmp_path):
    values = {
        "Manufacturer": "GE MEDICAL SYSTEMS",
        "ProtocolName": "C-SPINE",
        "StudyDescription": "",
        "BodyPartExamined": "",
    }
    assert "cervical" in choose(_study(tmp_path, _stack(**values))).reason


@pytest.mark.parametrize(
    ("description", "weight"),
    [("t2_tse_sag_Myelon", "T2"), ("Syringomyelie T2 sag", "T2"), ("MR-Myelographie", "T2")],
)
def test_times_decide_about_myelography(tmp_path, description, weight):
    assert weighting(_facts(tmp_path, SeriesDescription=description)) == weight


def test_a_long_echo_or_its_name_is_myelography(tmp_path):
    assert weighting(_facts(tmp_path / "a", EchoTime=250, SeriesDescription="MR-Myelographie")) == "myelography"
    assert weighting(_facts(tmp_path / "b", EchoTime=700)) == "myelography"


@pytest.mark.parametrize("time", ["0", "-1", "1e300"])
def test_an_impossible_time_is_none(tmp_path, time):
    values = {**BARE, "EchoTime": time, "RepetitionTime": time}
    assert weighting(_facts(tmp_path / "a", **values, SeriesDescription="T2 sag")) == "T2"
    assert weighting(_facts(tmp_path / "b", **values, SeriesDescription="sag", ProtocolName="")) == "unknown"


NAMELESS = {"StudyDescription": "", "BodyPartExamined": "", "ProtocolName": ""}


@pytest.mark.parametrize("name", ["T2 SAG CERV", "T2 SAG THOR", "T2 SAG C/S", "T2 SAG TWK", "T2 SAG BWS"])
def test_abbreviated_regions(tmp_path, name):
    assert choose(_study(tmp_path, _stack(**NAMELESS, SeriesDescription=name))).chosen is None


@pytest.mark.parametrize(
    ("text", "encoding", "declared"),
    [
        ("颈椎 T2 矢状位", "gb18030", "ISO_IR 100"),
        ("Т2 шейный отдел", "windows-1251", "ISO_IR 100"),
        ("頸椎 T2", "big5", ""),
    ],
)
def test_a_region_in_another_character_set_than_declared(tmp_path, text, encoding, declared):
    datasets = _stack(**NAMELESS, SpecificCharacterSet=declared, SeriesDescription="@" * len(text.encode(encoding)))
    study = _changed(
        tmp_path, datasets, lambda content: content.replace(b"@" * len(text.encode(encoding)), text.encode(encoding))
    )
    choice = choose(study)
    assert choice.chosen is None and "cervical" in choice.reason


def _changed(tmp_path, datasets, change):
    found = {}
    for index, dataset in enumerate(datasets):
        path = save(tmp_path / f"{index:04d}", dataset)
        path.write_bytes(change(path.read_bytes()))
        with open(path, "rb") as stream:
            for header in headers(read(stream)):
                found.setdefault(header.shared, []).append((str(path), header.frame, header.own))
    (study,) = build_studies(found)
    return study


def test_a_region_that_is_not_named_is_said(tmp_path):
    choice = choose(_study(tmp_path / "a", _stack(**NAMELESS)))
    assert choice.chosen is not None and "its region is not named" in choice.reason
    values = {**NAMELESS, "StudyDescription": "MRI cervical and lumbar spine"}
    choice = choose(_study(tmp_path / "b", _stack(**values)))
    assert "the study's name holds cervical and lumbar" in choice.reason
    assert choose(_study(tmp_path / "c", _stack())).reason == ""


def test_an_empty_patient_id_names_nobody(tmp_path):
    datasets = _stack()
    for dataset in datasets[::2]:
        dataset.PatientID = ""
    assert choose(_study(tmp_path, datasets)).chosen is not None


def test_a_series_uid_for_each_image(tmp_path):
    reason = choose(_study(tmp_path, *[[image("1.2.3", f"1.2.3.1.{n}", n)] for n in range(9)])).reason
    assert "one of 9 images of one number and description that have a SeriesInstanceUID each" in reason
    assert "fewer than" not in reason


def test_the_modality_is_a_defined_term_or_not_said(tmp_path):
    assert "its Modality is CT, not MR" in choose(_study(tmp_path / "a", _stack(Modality="CT"))).reason
    reason = choose(_study(tmp_path / "b", _stack(Modality="MUELLER"))).reason
    assert "no term that DICOM defines" in reason and "MUELLER" not in reason


def test_uids_that_are_equal_as_numbers_or_of_any_length_have_an_order():
    assert uid_order("1.2.03") != uid_order("1.2.3")
    assert sorted(["1.2.10", "1.2." + "9" * 5000, "1.2.9"], key=uid_order)[:2] == ["1.2.9", "1.2.10"]


@pytest.mark.fault(
    "slices of two pixel spacings, sizes or orientations in one series",
    "the larger stack is taken, the rest told",
)
@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"PixelSpacing": ["0.5", "0.5"]}, "6 images of it were left out (another size, pixel spacing or orientation)"),
        ({"orientation": _tilted(3)}, "6 images of it were left out (another size, pixel spacing or orientation)"),
        ({"orientation": AXIAL}, ""),
        ({"EchoTime": "20"}, ""),
    ],
    ids=["pixel spacing", "orientation", "localizer images", "echo"],
)
def test_slices_left_out_of_the_chosen_series_are_told(tmp_path, values, told):
    slices = _stack(count=9) + [image("1.2.3", "1.2.3.1", 20 + n, **values) for n in range(6)]
    choice = choose(_study(tmp_path, slices))
    assert choice.chosen is not None and choice.chosen.stack.n_slices == 9
    assert told in choice.reason if told else not choice.reason
