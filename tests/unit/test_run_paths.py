"""What complete settings say of a run: where its studies come from, what rules read and write, which options they give."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from lstv.base.errors import UserError
from lstv.run import arguments, deployment, paths, settings

SCHEMA = yaml.safe_load((Path(__file__).parents[2] / "workflow/schemas/config.schema.yaml").read_text())


def complete(**given: object) -> dict:
    return settings.complete({"cohort": "c", "localizer": {"checkpoint": "net.pth"}, **given}, SCHEMA)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"kind": "demo"}, ("demo", "results/c/dicom", "results/c/dicom/train_series_descriptions.csv")),
        ({"kind": "folder", "path": "in"}, ("sheet", "results/c/scan/studies.csv", "results/c/scan/studies.csv")),
        ({"kind": "sheet", "path": "in.csv"}, ("sheet", "in.csv", "in.csv")),
        ({"kind": "rsna", "path": "in"}, ("rsna", "in", "in/train_series_descriptions.csv")),
    ],
)
def test_where_the_studies_come_from(source, expected):
    given = complete(source=source)
    assert (paths.layout(given), paths.source(given), paths.source_table(given)) == expected


def test_labels_are_the_users_or_made_of_annotations():
    assert paths.labels(complete()) is None
    assert paths.labels(complete(evaluation={"labels": "mine.csv"})) == "mine.csv"
    assert paths.labels(complete(evaluation={"annotations": "export.json"})) == "results/c/evaluation/labels.csv"


def test_every_file_that_a_key_names_is_read():
    given = complete(source={"kind": "folder", "path": "in"})
    for part, keys in settings.PATHS.items():
        for key in keys:
            given[part][key] = f"/far/{key}"
    read = {name for name in paths.read(given) if name.startswith("/far/")}
    own = {"/far/key", "/far/mapping"}  # in a folder that is written
    every = {f"/far/{key}" for keys in settings.PATHS.values() for key in keys}
    assert every - own <= read and not own & read


def test_a_sheet_is_read_with_all_its_folders(tmp_path):
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("study_id,series_dir\na,/far/a\nb,\nc,near/c\n")
    read = paths.read(complete(source={"kind": "sheet", "path": str(sheet)}))
    assert {str(sheet), "/far/a", "near/c", "net.pth", "net.pth.sha256"} <= set(map(str, read))
    assert "" not in read and None not in read


def test_a_sheet_that_cannot_be_read_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match=r"sheet\.csv"):
        paths.read(complete(source={"kind": "sheet", "path": str(tmp_path / "sheet.csv")}))


def test_links_of_a_folder_are_read_where_they_end(tmp_path):
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "disk2").symlink_to(tmp_path)
    read = paths.read(complete(source={"kind": "folder", "path": str(tmp_path / "export")}))
    assert str(tmp_path / "export" / "disk2") in read


def test_private_files_and_downloads_are_written_where_they_are_named():
    folder = complete(source={"kind": "folder", "path": "in", "key": "private/key", "mapping": "safe/map.csv"})
    assert {"private", "safe", "results/c"} <= set(paths.written(folder)) and "in" not in paths.written(folder)
    download = complete(source={"kind": "rsna", "path": "data/rsna", "download": True})
    assert {"data/rsna", "resources/pointnet"} <= set(paths.written(download))


def test_private_paths_are_those_that_may_name_patients():
    folder = complete(source={"kind": "folder", "path": "in", "key": "private/key", "mapping": None})
    assert paths.private(folder) == ["in", "private/key"]
    assert paths.private(complete(source={"kind": "rsna", "path": "in"})) == []


def test_options_are_quoted_for_a_shell_and_leave_out_what_is_not_set():
    given = complete(source={"kind": "rsna", "valid_ids": "my ids.txt"}, report={"show_ids": False})
    assert "--valid-ids 'my ids.txt'" in arguments.selection(given)
    assert "--list" not in arguments.selection(given)
    assert "--cohort c" in arguments.report(given) and "--show-ids no" in arguments.report(given)


@pytest.mark.parametrize(
    ("source", "without"),
    [
        ({"kind": "folder", "path": "in", "ids": "pseudonym"}, True),
        ({"kind": "folder", "path": "in", "ids": "uid"}, False),
        ({"kind": "rsna", "path": "in", "ids": "pseudonym"}, False),
    ],
)
def test_uids_stay_out_of_heatmap_files_where_studies_go_by_pseudonyms(source, without):
    assert ("--without-uids" in arguments.localizer(complete(source=source))) is without


def test_resources_of_a_profile_are_text_by_key_and_rule():
    def value(raw: object) -> SimpleNamespace:
        return SimpleNamespace(raw=raw)

    asked = SimpleNamespace(
        default_resources={"slurm_account": value("lab")}, overwrite_resources={"infer_heatmaps": {"gpu": value(1)}}
    )
    assert deployment.given_resources(asked) == {"slurm_account": "lab", "infer_heatmaps.gpu": "1"}


def test_what_only_a_download_needs_is_not_handed_to_the_nodes(tmp_path, monkeypatch):
    project, data, login = tmp_path / "project", tmp_path / "data", tmp_path / "kaggle.json"
    project.mkdir()
    data.mkdir()
    login.touch()
    monkeypatch.chdir(project)
    environment: dict[str, str] = {}
    deployment.show(environment, [str(data)], ["results"], [login], {"KAGGLE_USERNAME": "me"})
    assert str(login) in environment["APPTAINER_BIND"] and environment["APPTAINERENV_KAGGLE_USERNAME"] == "me"
    assert str(data) in environment[deployment.FOR_NODES] and str(login) not in environment[deployment.FOR_NODES]
