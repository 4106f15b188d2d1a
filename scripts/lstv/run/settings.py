"""Checking of settings against their JSON Schema, with one plain sentence for each mistake."""

from __future__ import annotations

import contextlib
import copy
import difflib
import os
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from lstv.base.errors import UserError
from lstv.cohort import training_guard


def checked(given: dict, schema: dict, *, in_job: bool = False) -> dict:
    """The settings with defaults. Raises UserError with one sentence a line for each mistake in them; ``in_job`` as for
    ``contradictions``."""
    given = typed(given, schema)
    mistakes = problems(given, schema)
    settings = given if mistakes else expanded(complete(given, schema))
    mistakes = mistakes or contradictions(settings, in_job=in_job)
    if mistakes:
        raise UserError("\n".join(["The configuration needs a correction.", *mistakes]))
    return settings


def typed(settings: dict, schema: dict) -> dict:
    """A copy in which words are numbers, booleans or null where the schema wants these and no text.

    Snakemake hands over what stands inside braces on its command line (``--config 'a={b: 1}'``) as text.
    """
    result = dict(settings)
    for key, subschema in schema.get("properties", {}).items():
        value = result.get(key)
        types = subschema.get("type", ())
        types = {types} if isinstance(types, str) else set(types)
        if isinstance(value, dict):
            result[key] = typed(value, subschema)
        elif isinstance(value, str) and types and ("string" not in types or ("null" in types and value == "null")):
            result[key] = yaml.safe_load(value)
    return result


def complete(settings: dict, schema: dict) -> dict:
    """A copy of ``settings`` with the schema's defaults filled in, at every depth."""
    settings = copy.deepcopy(settings)
    for key, subschema in schema.get("properties", {}).items():
        if key not in settings and "default" in subschema:
            settings[key] = copy.deepcopy(subschema["default"])
        if isinstance(settings.get(key), dict):
            settings[key] = complete(settings[key], subschema)
    return settings


PATHS = {
    "source": ("path", "valid_ids", "key", "mapping", "choices"),
    "selection": ("list",),
    "localizer": ("checkpoint", "centroids"),
    "reference": ("features",),
    "evaluation": ("labels",),
}
"""The keys that name files and folders; ``container`` may name a file too."""


def expanded(settings: dict) -> dict:
    """A copy of complete settings in which ``~`` is the user's home, as in a shell; in a container it is another one."""
    settings = copy.deepcopy(settings)
    settings["container"] = os.path.expanduser(settings["container"])
    for part, keys in PATHS.items():
        for key in keys:
            value = settings[part][key]
            if value is not None:
                settings[part][key] = os.path.expanduser(value)
    return settings


def problems(settings: dict, schema: dict) -> list[str]:
    """One sentence for each violation of the schema, in the order of the keys; empty where there is none."""
    errors = sorted(Draft202012Validator(schema).iter_errors(settings), key=lambda error: list(map(str, error.path)))
    return [_sentence(error) for error in errors]


def _sentence(error: ValidationError) -> str:
    schema: Any = error.schema
    value: Any = error.validator_value
    instance: Any = error.instance
    where = ".".join(str(part) for part in error.absolute_path)
    prefix = f"{where}." if where else ""
    if error.validator == "additionalProperties":
        known = list(schema.get("properties", {}))
        unknown = [key for key in instance if key not in known]
        return "; ".join(_unknown_key(prefix, str(key), known) for key in unknown)
    if error.validator == "required":
        absent = [key for key in value if key not in instance]
        return f"{prefix}{absent[0]} is missing: {_description(schema['properties'][absent[0]])}"
    if error.validator == "enum":
        allowed = ", ".join(str(allowed) for allowed in value)
        return f"{where} is {error.instance!r}, but must be one of {allowed}"
    if error.validator == "pattern":
        return f"{where} is {error.instance!r}, which does not fit: {_description(schema)}"
    return f"{where}: {error.message} ({_description(schema)})"


def _unknown_key(prefix: str, key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {prefix}{close[0]}?" if close else f"known here: {', '.join(known)}."
    return f"unknown key {prefix}{key}; {hint}"


def _description(schema: dict) -> str:
    return " ".join(schema.get("description", "see config/README.md").split())


FETCHED = ("resources/pointnet/00002484.pth", "resources/pointnet/valid_id.npy")
"""What the workflow can fetch from Kaggle, under these names only."""


IDS = (
    "name valid_id.npy there (resources/README.md says where it comes from); for studies of your own in this layout a text "
    "file with their ids, one a line."
)


def contradictions(settings: dict, *, in_job: bool = False) -> list[str]:
    """What a schema cannot see in complete settings: files that are not there, values that do not go together.

    ``in_job``: in a job of a run that was checked, which does not look at the folder of every study again.
    """
    source, localizer, metrics = settings["source"], settings["localizer"], settings["metrics"]
    found = []
    to_come = FETCHED if source["download"] else ()
    if source["download"] and source["kind"] != "rsna":
        found.append(f"source.download fetches the RSNA studies, but source.kind is {source['kind']}; set it to rsna.")
    if source["whole_archive"] and not source["download"]:
        found.append("source.whole_archive says how to fetch, but source.download is off; turn that on too.")
    if source["kind"] != "demo":
        if source["path"] is None:
            found.append(
                f"source.kind is {source['kind']}, but source.path is not set; name the folder or the sheet there."
            )
        elif not Path(source["path"]).exists() and not source["download"]:
            found.append(f"source.path {source['path']} does not exist; set it to where your data are.")
        if Path(localizer["checkpoint"]).parts[:2] == ("resources", "demo"):
            found.append(
                "localizer.checkpoint is the demo's, which knows synthetic phantoms only; for your own data set it to "
                "the published point net, for instance resources/pointnet/00002484.pth."
            )
    if source["kind"] == "sheet" and source["path"] is not None:
        own = f"results/{settings['cohort']}"
        if _lies_in(source["path"], own):
            found.append(
                f"source.path {source['path']} lies in {own}, this run's own results; move the file to "
                "another place, for instance data/, or name another cohort."
            )
        if source["valid_ids"] is None and not in_job:
            with contextlib.suppress(UserError):  # what else is wrong with the sheet is said when its studies are read
                found += filter(None, [training_guard.unmarked(Path(source["path"]))])
    if source["kind"] == "rsna" and source["valid_ids"] is None:
        found.append(
            "source.valid_ids is not set, so the RSNA studies that the point net was trained on cannot be told from the "
            f"others; {IDS}"
        )
    if source["kind"] == "folder":
        if source["path"] is not None and training_guard.root_of(source["path"]) is not None:
            found.append(f"source.path {training_guard.refusal(source['path'])}")
        for key in ("key", "mapping"):
            if source[key] is not None and _lies_in(source[key], "results"):
                found.append(
                    f"source.{key} {source[key]} lies in the results, which are shared; name a private place, for instance "
                    "in resources/private."
                )
        if source["valid_ids"] is not None:
            found.append(
                "source.valid_ids lists RSNA study ids, which a scanned folder does not have: set it to null, or "
                "source.kind to rsna."
            )
    if not Path(localizer["checkpoint"]).is_file() and localizer["checkpoint"] not in to_come:
        found.append(
            f"localizer.checkpoint {localizer['checkpoint']} does not exist; put the point net there "
            "(resources/README.md says where it comes from), correct the path, or for RSNA studies set source.download."
        )
    if metrics["entropy_moderate"] >= metrics["entropy_high"]:
        found.append(
            f"metrics.entropy_moderate ({metrics['entropy_moderate']:g}) must be below metrics.entropy_high "
            f"({metrics['entropy_high']:g})."
        )
    for key, path in (
        ("source.valid_ids", source["valid_ids"]),
        ("source.choices", source["choices"]),
        ("selection.list", settings["selection"]["list"]),
        ("reference.features", settings["reference"]["features"]),
        ("evaluation.labels", settings["evaluation"]["labels"]),
    ):
        if path is not None and not Path(path).is_file() and path not in to_come:
            needed = key == "source.valid_ids" and source["kind"] == "rsna"
            found.append(f"{key} {path} does not exist; {IDS if needed else 'correct the path or set it to null.'}")
    if localizer["centroids"] is not None and not Path(localizer["centroids"]).is_dir():
        found.append(f"localizer.centroids {localizer['centroids']} is no folder; correct the path or set it to null.")
    return found


def _lies_in(path: str, folder: str) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
