"""Names of series in many languages."""

from __future__ import annotations

import pytest

from lstv.folder import terms


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("T2_TSE-Säg", "t2 tse sag"),
        ("ＬＵＭＢＡＲ　Ｔ２", "lumbar t2"),
        ("Шейный", "шейный"),
        ("  a//b ", "a b"),
        ("シャジョウ", "シャジョウ"),
    ],
)
def test_normalise(text, normal):
    assert terms.normalise(text) == normal


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[(text, {"lumbar"}) for text in (
            "L-SPINE", "LSPINE", "LS_SPINE", "MRI Lumbar Spine wo", "LWS nativ", "Lendenwirbelsäule", "rachis lombaire",
            "Columna lumbosacra", "coluna lombar", "colonna lombo-sacrale", "腰椎MRI", "腰骶椎平扫", "腰椎矢状断",
            "МРТ поясничного отдела", "ПКОП", "요추", "odcinek lędźwiowy", "t2_tse_sag_LWS", "Lomber MR")],
        *[(text, {"cervical"}) for text in (
            "C-Spine", "CSPINE", "HWS", "rachis cervical", "columna cervical", "颈椎", "頸椎T2", "頚椎", "Шейный отдел",
            "경추", "T2 SAG CERV", "T2 SAG C/S", "CWK", "Zervikal", "kręgosłup szyjny", "颈段")],
        *[(text, {"thoracic"}) for text in (
            "T2 SAG THOR", "T2 SAG TWK", "T/S sag", "Dorsalis", "胸段", "T-Spine", "TSPINE",
            "BWS", "colonna dorsale", "胸椎", "грудной отдел")],
        *[(text, {"whole spine"}) for text in ("Whole Spine", "GWS", "ganze Wirbelsäule", "rachis entier", "全脊柱")],
        *[(text, {"another body part"}) for text in ("BRAIN", "Knie links", "Schädel", "HEAD", "頭部", "головного мозга")],
        ("thoracolumbar", {"thoracic", "lumbar"}),
        ("cervical and lumbar spine", {"cervical", "lumbar"}),
        ("LWS und Becken", {"lumbar"}),
        ("t2_tse_sag", set()),
        ("T2 SPACE sag", set()),
        ("SPINE", set()),
        ("Philips ship chip", set()),
        ("Istituto Lombardo", set()),
        ("craniocaudal", set()),
        ("plumbing", set()),
        ("T2 CS sag", set()),  # compressed sensing, not the cervical spine
        ("t1_se_sag p2", set()),
    ],
)  # fmt: skip
def test_regions(text, expected):
    assert terms.regions(text) == expected


@pytest.mark.parametrize("text", ["T2w", "t2_tse", "SAG T2 FSE", "腰椎T2矢状位", "Т2 сагиттальный", "T2WI", "sagT2"])
def test_t2(text):
    assert terms.T2.search(terms.normalise(text))


@pytest.mark.parametrize("text", ["T1", "PD", "t21", "12t2000", "Lumbar"])
def test_not_t2(text):
    assert not terms.T2.search(terms.normalise(text))


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (terms.MYELOGRAPHY, "t2_tse_sag_Myelon"),
        (terms.MYELOGRAPHY, "Syringomyelie"),
        (terms.MYELOGRAPHY, "myelitis"),
        (terms.STIR, "Stirling"),
        (terms.DIFFUSION, "different angle"),
        (terms.DIXON, "idealised"),
        (terms.LOCALIZER, "dislocalise"),
        (terms.REFORMATTED, "reconnaissance"),
        (terms.PROTON, "lucidensity"),
    ],
)
def test_words_do_not_match_inside_other_words(pattern, text):
    assert not pattern.search(terms.normalise(text))


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (terms.MYELOGRAPHY, "MR-Myelographie"),
        (terms.MYELOGRAPHY, "3D_Myelo_cor"),
        (terms.STIR, "t2_stir_sag"),
        (terms.STIR, "t2_tirm_sag"),
        (terms.DIFFUSION, "ep2d_diff_sag"),
        (terms.DIXON, "t2_mdixon_sag"),
        (terms.DIXON, "t2_tse_dixon"),
        (terms.SINGLE_SHOT, "t2_haste_sag"),
    ],
)
def test_words_beside_others(pattern, text):
    assert pattern.search(terms.normalise(text))


@pytest.mark.parametrize(
    "text", ["Localizer", "LOKALIZER", "3-Plane Loc", "Scout", "SURVEY", "定位", "位置決め", "локалайзер"]
)
def test_localizer(text):
    assert terms.LOCALIZER.search(terms.normalise(text))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("t2_tse_sag 4mm", "t2 tse sag 4mm"),
        ("T2 SAG Geheim Gerda", "t2 sag _"),
        ("Lombardi T2", "_ t2"),
        ("DOE^JOHN 19540302", "_"),
        ("腰椎T2矢状位 王小明", "腰椎 t2 矢状位 _"),
        ("сагиттальный Т2 Иванов", "сагиттальный т2 _"),
        ("", ""),
    ],
)
def test_technical_words_leave_no_names(text, kept):
    assert terms.technical_words(text) == kept
