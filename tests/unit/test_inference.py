"""From the study sheet to the heatmap file, with a small untrained network: batching, members, failures, crashes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import infer_heatmaps
from dicom_files import write_series
from lstv.base.cli import run
from lstv.base.errors import UserError
from lstv.cohort import batches, study_sheet
from lstv.cohort.study_sheet import Row
from lstv.dicom.stored import PHANTOM_MODEL
from lstv.localizer import devices, heatmap_file, inference, network, prepare
from lstv.localizer.checkpoint import DEMO_PURPOSE, load_localizer

WIDTHS = network.Widths(stem=(4, 4, 8), planes=(4, 8, 12, 16), decoder=(16, 12, 8, 8, 8))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("net") / "net.pth"
    torch.save({"state_dict": network.LocalizerUNet(WIDTHS).state_dict(), "purpose": DEMO_PURPOSE}, path)
    return path


def volume(seed: int, slices: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1000, (slices, 64, 48)).astype(np.uint16)


@pytest.fixture(scope="module")
def sheet(tmp_path_factory) -> Path:
    """Three good studies and one of each kind that is not."""
    root = tmp_path_factory.mktemp("cohort")
    rows = []
    for index in range(3):
        write_series(root / f"good{index}", volume(index), ManufacturerModelName=PHANTOM_MODEL)
        rows.append(Row(f"good{index}", f"s{index}", str(root / f"good{index}")))
    write_series(root / "real", volume(9))
    (root / "empty").mkdir()
    write_series(root / "one", volume(3, 1), ManufacturerModelName=PHANTOM_MODEL)
    write_series(root / "blank", 0 * volume(3), ManufacturerModelName=PHANTOM_MODEL)
    rows += [Row(name, name, str(root / name)) for name in ("real", "empty", "one", "blank", "gone")]
    rows += [
        Row("unused", use="no", reason="not selected: trial of 3 studies"),
        Row("badid", reason="the id '../x' is bad"),
    ]
    path = root / "sheet.csv"
    study_sheet.write_sheet(rows, path)
    return path


def arguments(sheet, checkpoint, out, *others):
    paths = [
        "--sheet",
        str(sheet),
        "--checkpoint",
        str(checkpoint),
        "--out",
        str(out),
        "--device",
        "cpu",
        "--threads",
        "1",
    ]
    return [*paths, "--workers", "2", *others]


def test_every_study_of_the_sheet_is_in_the_file(sheet, checkpoint, tmp_path, capsys):
    out = tmp_path / "all.h5"
    assert infer_heatmaps.main(arguments(sheet, checkpoint, out)) == 0
    found = {row.study_id: heatmap_file.read_study(out, row.study_id) for row in study_sheet.read_sheet(sheet)}
    status = {study: maps.status for study, maps in found.items()}
    assert [status[f"good{i}"] for i in range(3)] == ["ok"] * 3
    assert status["unused"] == "excluded"
    for study, words in {
        "real": "refused for real images",
        "empty": "no DICOM",
        "one": "one slice",
        "blank": "blank",
        "gone": "does not exist",
        "badid": "the id '../x' is bad",
    }.items():
        assert status[study] == "failed" and words in found[study].reason, (study, found[study].reason)
    record = heatmap_file.read_run(out)
    assert record["demo_weights"] is True and len(record["checkpoint_sha256"]) == 64
    log = capsys.readouterr().out
    assert log.startswith("device cpu (1 threads), precision float32") and "ok 3" in log
    assert re.search(
        r"^the network takes about \S+ s an image here; a study takes \S+ s with centre, .* with full$", log, re.M
    )
    assert re.search(r"^\S+ s an analysed study, members centre, decoding and writing included$", log, re.M)


@pytest.fixture(scope="module")
def runs(sheet, checkpoint, tmp_path_factory) -> Path:
    """Folder with the same sheet run in four ways."""
    folder = tmp_path_factory.mktemp("runs")
    for name, options in {
        "one": ("--forward-batch", "1"),
        "many": ("--forward-batch", "64"),
        "full": ("--members", "full"),
        "slices": ("--members", "slices"),
    }.items():
        assert infer_heatmaps.main(arguments(sheet, checkpoint, folder / f"{name}.h5", *options)) == 0
    return folder


@pytest.mark.slow
def test_heatmaps_do_not_depend_on_batching_or_members(runs):
    reference = heatmap_file.read_study(runs / "one.h5", "good1")
    for name in ("many", "full", "slices"):
        maps = heatmap_file.read_study(runs / f"{name}.h5", "good1")
        np.testing.assert_allclose(maps.logits, reference.logits, atol=1e-4)
        np.testing.assert_array_equal(maps.image, reference.image)
    full, slices = (heatmap_file.read_study(runs / f"{name}.h5", "good1").members for name in ("full", "slices"))
    assert slices.kinds == ("slice",) * 4 and slices.names == ("slice-2", "slice-1", "slice+1", "slice+2")
    assert full.names[:4] == slices.names and len(full.names) == 4 + len(inference.VIEWS)
    np.testing.assert_array_equal(full.probability[:4], slices.probability)
    assert full.probability.shape == (len(full.names), 5, 160, 160)
    assert reference.members is None


@pytest.mark.slow
def test_neighbours_outside_the_stack_are_left_out(checkpoint, tmp_path):
    write_series(tmp_path / "thin", volume(5, 3), ManufacturerModelName=PHANTOM_MODEL)
    study_sheet.write_sheet([Row("thin", "s", str(tmp_path / "thin"))], tmp_path / "sheet.csv")
    infer_heatmaps.main(arguments(tmp_path / "sheet.csv", checkpoint, tmp_path / "x.h5", "--members", "slices"))
    assert heatmap_file.read_study(tmp_path / "x.h5", "thin").members.names == ("slice-1", "slice+1")


@pytest.mark.slow
def test_features_are_those_of_the_centre_slice(runs, checkpoint):
    network = load_localizer(checkpoint).network
    for study in ("good0", "good2"):
        one, full = (heatmap_file.read_study(runs / f"{name}.h5", study) for name in ("one", "full"))
        with torch.inference_mode():
            _, decoded, deepest = network.with_features(torch.from_numpy(one.image)[None, None])
        probability = np.exp(one.logits) / np.exp(one.logits).sum(axis=0)
        regions = np.concatenate([1 - probability[:1], probability[1:]]) >= 0.5
        with np.errstate(invalid="ignore"):
            discs = np.stack([decoded[0].numpy()[:, region].mean(axis=1) for region in regions if region.any()])
        assert one.features.bottleneck.dtype == np.float16
        for features in (one.features, full.features):
            np.testing.assert_allclose(features.bottleneck, deepest[0].mean((1, 2)), rtol=2e-3, atol=1e-4)
            np.testing.assert_allclose(features.discs[regions.any(axis=(1, 2))], discs, rtol=2e-3, atol=1e-4)
            assert np.isnan(features.discs[~regions.any(axis=(1, 2))]).all()
    assert regions.any(), "the untrained network marks nothing: choose another seed"


def centroid_folder(folder: Path) -> Path:
    """good0: all vertebrae; good1: a file without geometry; good2: none. The test series is a stack of 60 mm x
    96 mm pictures from x = 20 to -4."""
    folder.mkdir()
    points = {name: [9.0, -60.0, 105.0 - 15.0 * k] for k, name in enumerate(("L1", "L2", "L3", "L4", "L5", "S1"))}
    (folder / "good0_ctd.json").write_text(json.dumps(points))
    (folder / "good1_ctd.json").write_text('[{"direction": ["P", "I", "R"]}, {"label": 20, "X": 1, "Y": 2, "Z": 3}]')
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("members", ["centre", "full"])
def test_patches_are_the_network_on_the_moved_slice(sheet, checkpoint, tmp_path, members):
    folder = centroid_folder(tmp_path / "centroids")
    out = tmp_path / "x.h5"
    infer_heatmaps.main(arguments(sheet, checkpoint, out, "--members", members, "--centroids", str(folder)))
    maps = heatmap_file.read_study(out, "good0")
    assert list(maps.targets.found) == ["l1_l2", "l2_l3", "l3_l4", "l4_l5", "l5_s1"]
    assert maps.members.kinds.count("patch") == 5
    network = load_localizer(checkpoint).network
    series = prepare.read_volume(
        Path(next(row.series_dir for row in study_sheet.read_sheet(sheet) if row.study_id == "good0"))
    )
    for level, place in maps.targets.found.items():
        assert place.slice == 0, "x = 9 is nearest to the slice at 8, the centre one"
        image = prepare.resized(series.volume[series.centre])
        np.testing.assert_array_equal(image, maps.image)
        columns, rows = place.shift
        moved = np.zeros_like(image)
        for row in range(160):
            for column in range(160):
                if 0 <= row + rows < 160 and 0 <= column + columns < 160:
                    moved[row + rows, column + columns] = image[row, column]
        with torch.inference_mode():
            said = network(torch.from_numpy(moved)[None, None]).softmax(1)[0, 1:].numpy()
        at = maps.members.names.index(f"patch-{level}")
        column, row = (round(value) for value in place.disc_px)
        assert maps.members.valid[at, row, column]
        inside = said[:, row + rows, column + columns]
        np.testing.assert_allclose(maps.members.probability[at, :, row, column] / 255, inside, atol=1 / 255)
        assert not maps.members.probability[at][:, ~maps.members.valid[at]].any()
    refused, absent = (heatmap_file.read_study(out, study) for study in ("good1", "good2"))
    assert refused.status == absent.status == "ok", "patches are optional"
    assert refused.targets.status == "refused" and "without zoom, rotation, origin" in refused.targets.reason
    assert absent.targets.status == "no_file"
    plain = tmp_path / "plain.h5"
    infer_heatmaps.main(arguments(sheet, checkpoint, plain, "--members", members))
    without = heatmap_file.read_study(plain, "good0")
    assert without.targets is None
    np.testing.assert_allclose(maps.logits, without.logits, atol=1e-4)
    if members == "full":
        others = [kind != "patch" for kind in maps.members.kinds]
        np.testing.assert_allclose(
            maps.members.probability[others].astype(int), without.members.probability.astype(int), atol=1
        )


def test_a_centroid_folder_that_is_none_is_one_sentence(sheet, checkpoint, tmp_path, capsys):
    options = arguments(sheet, checkpoint, tmp_path / "x.h5", "--centroids", str(tmp_path / "none"))
    assert run(lambda: infer_heatmaps.main(options)) == 2
    error = capsys.readouterr().err
    assert "is not a directory" in error and error.count("\n") == 1


@pytest.mark.slow
def test_a_batch_holds_its_studies_only(sheet, checkpoint, tmp_path):
    ids = [row.study_id for row in study_sheet.read_sheet(sheet)]
    batch = batches.batch_of("good0", 4)
    out = tmp_path / "batch.h5"
    assert infer_heatmaps.main(arguments(sheet, checkpoint, out, "--batch", batch, "--batches", "4")) == 0
    for study in ids:
        if batches.batch_of(study, 4) == batch:
            assert heatmap_file.read_study(out, study).status
        else:
            with pytest.raises(UserError, match="has no study"):
                heatmap_file.read_study(out, study)


def test_device_cuda_without_a_gpu_is_an_error(sheet, checkpoint, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    options = arguments(sheet, checkpoint, tmp_path / "x.h5")
    options[options.index("cpu")] = "cuda"
    assert run(lambda: infer_heatmaps.main(options)) == 2
    error = capsys.readouterr().err
    assert error.startswith("Error: --device is cuda, but torch sees no GPU here") and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("capability", "built", "usable"),
    [
        ((7, 0), ["sm_75", "sm_80", "sm_90"], False),
        ((7, 0), ["sm_70"], True),
        ((8, 6), ["sm_80"], True),
        ((8, 0), ["sm_86"], False),
    ],
)
def test_a_gpu_that_this_torch_is_not_built_for(monkeypatch, capability, built, usable):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: built)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla V100")
    assert devices.choose_device("auto").type == ("cuda" if usable else "cpu")
    if not usable:
        with pytest.raises(UserError, match=r"not built for Tesla V100 \(compute capability"):
            devices.choose_device("cuda")


@pytest.mark.slow
def test_a_study_whose_results_cannot_be_put_together_is_a_record(monkeypatch, sheet, checkpoint, tmp_path):
    """The others are as they are without it."""
    arguments_ = arguments(sheet, checkpoint, tmp_path / "whole.h5")
    assert infer_heatmaps.main(arguments_) == 0
    cut, met = inference.strips.cut, []

    def fail_once(*given):
        met.append(1)
        if len(met) == 1:
            raise ValueError("a patient's name")
        return cut(*given)

    monkeypatch.setattr(inference.strips, "cut", fail_once)
    assert infer_heatmaps.main(arguments(sheet, checkpoint, tmp_path / "one.h5", "--no-reuse")) == 0
    whole, one = (
        {i: heatmap_file.read_study(tmp_path / f"{n}.h5", i) for i in heatmap_file.study_ids(tmp_path / f"{n}.h5")}
        for n in ("whole", "one")
    )
    failed = [i for i in whole if whole[i].status != one[i].status]
    assert len(failed) == 1 and one[failed[0]].reason == "unexpected ValueError while its results were put together"
    for name in whole.keys() - set(failed):
        assert heatmap_file.encoded(whole[name]).to_bytes() == heatmap_file.encoded(one[name]).to_bytes()
