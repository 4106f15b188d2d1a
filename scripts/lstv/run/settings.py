"""Checking of settings against their JSON Schema, with one plain sentence for each mistake."""

from __future__ import annotations

import copy
import difflib
import os
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from lstv.base.errors import Setting, UserError
from lstv.run.checks import contradictions


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


def key_of(settings: dict, subject: Path | Setting) -> str:
    """What the configuration calls the subject of an error.

    A setting goes by its key, and by its words where no key or more than one may be meant; a file by the key that names it
    and its path, or by its path alone.
    """
    keys = {
        f"{part}.{name}": value
        for part, values in settings.items()
        if isinstance(values, dict)
        for name, value in values.items()
    }
    if isinstance(subject, Setting):
        found = [key for key in keys if key.partition(".")[2] == subject.name]
        return found[0] if len(found) == 1 else str(subject)
    found = [key for key, value in keys.items() if isinstance(value, str) and Path(value) == subject]
    return f"{found[0]} {subject}" if found else str(subject)


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
