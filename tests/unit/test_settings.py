"""The configuration's schema: shipped files fit it, every mistake gives one sentence that names it and the fix."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from lstv.base.errors import UserError
from lstv.run import checks, settings

ROOT = Path(__file__).parents[2]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def demo(**changes) -> dict:
    base = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    return {**base, **changes}


def objects(schema, where="config"):
    if schema.get("type") == "object":
        yield where, schema
    for key, value in schema.get("properties", {}).items():
        yield from objects(value, f"{where}.{key}")


def test_every_object_is_closed_and_every_key_described():
    for where, schema in objects(SCHEMA):
        assert schema["additionalProperties"] is False, where
        for key, value in schema["properties"].items():
            assert value.get("description"), f"{where}.{key}"


def test_every_key_is_explained_in_the_config_readme():
    text = (ROOT / "config/README.md").read_text()
    for where, schema in objects(SCHEMA):
        for key, value in schema["properties"].items():
            name = f"{where}.{key}".removeprefix("config.")
            if value.get("type") != "object":
                assert f"`{name}`" in text, name


def test_shipped_configuration_is_valid_and_complete():
    assert settings.problems(demo(), SCHEMA) == []
    complete = settings.complete(demo(), SCHEMA)
    assert complete["review"]["ambiguous"] == 60 and complete["source"]["path"] is None
    assert checks.contradictions(complete) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"localiser": {}}, "unknown key localiser; did you mean localizer?"),
        (
            {"localizer": {"checkpoint": "x", "member": "full"}},
            "unknown key localizer.member; did you mean localizer.members?",
        ),
        ({"source": {"kind": "rnsa"}}, "source.kind is 'rnsa', but must be one of demo"),
        ({"source": {}}, "source.kind is missing"),
        ({"cohort": "../x"}, "cohort is '../x', which does not fit"),
        ({"localizer": {"checkpoint": "x", "batch_studies": "many"}}, "localizer.batch_studies: 'many' is not of type"),
        ({"localizer": {"checkpoint": "x", "batch_studies": 0}}, "localizer.batch_studies: 0 is less than the minimum"),
    ],
)
def test_mistakes(changes, sentence):
    found = settings.problems(demo(**changes), SCHEMA)
    assert len(found) == 1 and sentence in found[0] and "\n" not in found[0]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"source": {"kind": "rsna"}}, "source.path is not set"),
        ({"cohort": "method_study"}, "cohort method_study is the name under which"),
        ({"cohort": "method_study_patients"}, "choose another"),
        ({"source": {"kind": "rsna", "path": "/no/such/folder"}}, "/no/such/folder does not exist"),
        (
            {"source": {"kind": "folder", "path": "config", "key": "results/x/key"}},
            "source.key results/x/key lies in",
        ),
        (
            {"source": {"kind": "folder", "path": "config", "mapping": "results/m.csv"}},
            "source.mapping results/m.csv lies",
        ),
        ({"source": {"kind": "folder", "path": "config", "valid_ids": "a.npy"}}, "a scanned folder does not have"),
        ({"source": {"kind": "rsna", "path": "config"}}, "source.valid_ids is not set"),
        ({"source": {"kind": "rsna", "path": "config", "whole_archive": True}}, "but source.download is off"),
        (
            {"source": {"kind": "rsna", "path": "config"}, "selection": {"allow_training_studies": True}},
            "source.valid_ids is not set",
        ),
        ({"source": {"kind": "sheet", "path": "config/config.yaml"}}, "knows synthetic phantoms only"),
        (
            {"source": {"kind": "sheet", "path": "results/demo/study_sheet.csv"}},
            "lies in results/demo, this run's own results",
        ),
        (
            {"source": {"kind": "rsna", "path": "config", "valid_ids": "none.npy"}},
            "source.valid_ids none.npy does not exist; name valid_id.npy there",
        ),
        ({"localizer": {"checkpoint": "resources/none.pth"}}, "resources/none.pth does not exist"),
        ({"metrics": {"entropy_high": 4.0, "entropy_moderate": 5.0}}, "must be below metrics.entropy_high"),
        ({"evaluation": {"labels": "none.csv"}}, "evaluation.labels none.csv does not exist"),
        ({"selection": {"mode": "list", "list": "none.txt"}}, "selection.list none.txt does not exist"),
        ({"metrics": {"feature_bank": "none.npz"}}, "metrics.feature_bank none.npz does not exist"),
        (
            {"localizer": {"checkpoint": "resources/demo/pointnet_demo.pth", "centroids": "none"}},
            "localizer.centroids none is not a directory",
        ),
        ({"second_reader": {"spineps": {"masks": "none"}}}, "second_reader.spineps.masks none is not a directory"),
        ({"second_reader": {"totalspineseg": {"models": "none"}}}, "second_reader.totalspineseg.models none is not"),
        ({"second_reader": {"spineps": {"command": "spineps {picture}"}}}, "which names {picture}; use {image}"),
        ({"second_reader": {"spineps": {"command": "spineps"}}}, "which does not name {image}"),
        ({"second_reader": {"spineps": {"command": "spineps '{image}"}}}, "which is not a command line"),
        ({"second_reader": {"spineps": {"command": "x {image} {models}"}}}, "second_reader.spineps.models is not set"),
    ],
)
def test_contradictions(changes, sentence):
    found = checks.contradictions(settings.complete(demo(**changes), SCHEMA))
    assert any(sentence in line for line in found), found


def test_the_names_of_the_evidence_are_those_of_its_rules():
    rules = (ROOT / "workflow/rules/evidence.smk").read_text()
    (named,) = re.findall(r"^METHOD_GENERATORS = \{(.*)\}$", rules, re.MULTILINE)
    assert tuple(re.findall(r'"(\w+)": ', named)) == checks.EVIDENCE


@pytest.mark.parametrize(
    ("given", "meant"),
    [("data/", "data"), ("/a//b///", "/a/b"), ("/", "/"), ("~/x/", "/home/me/x"), ("../x/", "../x"), ("./", ".")],
)
def test_slashes_that_say_nothing_go_from_paths(monkeypatch, given, meant):
    monkeypatch.setenv("HOME", "/home/me")
    found = settings.expanded(settings.complete(demo(source={"kind": "folder", "path": given}), SCHEMA))
    assert found["source"]["path"] == meant
    image = "docker://ghcr.io/somebody/image"
    assert settings.expanded(settings.complete(demo(container=image), SCHEMA))["container"] == image


def test_the_home_in_every_path(monkeypatch):
    """YAML and a quoted command line leave ~ as it is, and in a container the home is another one."""
    monkeypatch.setenv("HOME", "/home/me")
    given = {part: dict.fromkeys(keys, "~/x") for part, keys in settings.PATHS.items()}
    given["container"] = "~/x"
    found = settings.expanded(settings.complete(demo(**given), SCHEMA))
    assert found["container"] == "/home/me/x"
    second = settings.complete(demo(second_reader={"spineps": {"models": "~/w", "container": "~/c.sif"}}), SCHEMA)
    assert settings.expanded(second)["second_reader"]["spineps"]["models"] == "/home/me/w"
    given = settings.complete(demo(source={"kind": "folder", "key": "~nobody-here/key"}), SCHEMA)
    assert checks.contradictions(settings.expanded(given))  # no home, no traceback
    assert {part: {key: found[part][key] for key in keys} for part, keys in settings.PATHS.items()} == {
        part: dict.fromkeys(keys, "/home/me/x") for part, keys in settings.PATHS.items()
    }
    named = {
        (part, key)
        for part, subschema in SCHEMA["properties"].items()
        for key, value in subschema.get("properties", {}).items()
        if re.search(r"\b(file|folder|csv|table)\b", value["description"].lower()) and "string" in value.get("type", "")
    }
    assert named == {(part, key) for part, keys in settings.PATHS.items() for key in keys}


def test_rsna_studies_do_not_enter_as_a_folder(tmp_path):
    """There nothing would tell which of them the point net was trained on."""
    (tmp_path / "train_series_descriptions.csv").touch()
    (tmp_path / "train_images").mkdir()
    for path in (tmp_path, tmp_path / "train_images"):
        found = checks.contradictions(settings.complete(demo(source={"kind": "folder", "path": str(path)}), SCHEMA))
        assert any("layout of the RSNA 2024 studies" in line and "kind to rsna" in line for line in found), found


def test_rsna_studies_of_a_sheet_need_a_split(tmp_path):
    (tmp_path / "train_series_descriptions.csv").touch()
    (tmp_path / "train_images/1/2").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "train_images")
    sheet = tmp_path / "sheet.csv"

    def found(text: str, **source: str) -> str:
        sheet.write_text(f"study_id,series_dir,split\n{text}")
        given = demo(source={"kind": "sheet", "path": str(sheet), **source})
        return "\n".join(checks.contradictions(settings.complete(given, SCHEMA)))

    assert "of study a its series lies in the RSNA 2024 images of" in found(f"a,{tmp_path}/link/1/2,\n")
    assert "RSNA" not in found(f"a,{tmp_path}/link/1/2,train\nb,{tmp_path}/other,\n")
    assert "images of" not in found(f"a,{tmp_path}/link/1/2,\n", valid_ids=str(sheet))
    assert "images of" not in found("a,x,wrong\n")  # another sentence for that, elsewhere


def test_words_of_the_command_line_become_what_the_schema_wants():
    """Snakemake gives ``--config 'a={b: 1}'`` as text."""
    given = demo(
        cohort="2024",
        selection={"allow_training_studies": "true", "seed": "3", "list": "null"},
        metrics={"entropy_high": "5.2"},
        localizer={"checkpoint": "resources/demo/pointnet_demo.pth", "batch_studies": "many"},
    )
    found = settings.typed(given, SCHEMA)
    assert found["selection"] == {"allow_training_studies": True, "seed": 3, "list": None}
    assert found["metrics"]["entropy_high"] == 5.2 and found["cohort"] == "2024"
    with pytest.raises(UserError, match="'many' is not of type 'integer'"):
        settings.checked(given, SCHEMA)


def test_a_key_of_an_earlier_version_is_answered_with_the_new_yaml():
    with pytest.raises(UserError) as caught:
        settings.checked({"reference": {"features": "data/a b.npz"}}, SCHEMA)
    line = str(caught.value).splitlines()[-1]
    assert line.startswith("reference.features is now metrics.feature_bank; write instead: ")
    assert yaml.safe_load(line.partition("write instead: ")[2]) == {"metrics": {"feature_bank": "data/a b.npz"}}
