"""Checking of settings against their JSON Schema, with one plain sentence for each mistake."""

from __future__ import annotations

import copy
import difflib
import math
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from lstv.base.errors import Setting, UserError
from lstv.run import checks
from lstv.run.checks import contradictions


def checked(given: dict, schema: dict, *, code: Path | None = None, in_job: bool = False) -> dict:
    """The settings with defaults. Raises UserError with one sentence a line for each mistake in them; ``code`` as for
    ``with_own_files``, ``in_job`` as for ``contradictions``."""
    given = typed(given, schema)
    mistakes = renamed(given) or problems(given, schema)
    settings = given if mistakes else with_own_files(expanded(complete(given, schema)), code)
    mistakes = mistakes or contradictions(settings, in_job=in_job)
    if mistakes:
        raise UserError("\n".join(["The configuration needs a correction.", *mistakes]))
    return settings


RENAMED = {"reference.features": "metrics.feature_bank"}
"""Keys of earlier versions, and what they are called now."""


def renamed(given: Mapping[str, Any]) -> list[str]:
    """One sentence with the new YAML for each key that an earlier version had under another name."""
    found = []
    for old, new in RENAMED.items():
        section, _, key = old.partition(".")
        values = given.get(section)
        if isinstance(values, Mapping) and key in values:
            part, _, name = new.partition(".")
            line = yaml.safe_dump({part: {name: values[key]}}, default_flow_style=True, width=math.inf).strip()
            found.append(f"{old} is now {new}; write instead: {line[1:-1]}")
    return found


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
            result[key] = _read(value)
        elif isinstance(value, float) and "integer" in types and value.is_integer():
            result[key] = int(value)
    return result


def _read(text: str) -> Any:
    """What YAML makes of a text; the text itself where that is nothing or nothing good."""
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: a date such as 2024-13-01
        return text


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
    "metrics": ("feature_bank",),
    "evaluation": ("labels", "queue", "annotations"),
}
"""The keys that name files and folders; ``container`` may name a file too."""

_NAMED = frozenset({"container", *(f"{part}.{key}" for part, keys in PATHS.items() for key in keys)})


def expanded(settings: dict) -> dict:
    """A copy of complete settings in which ``~`` is the user's home, as in a shell; in a container it is another one.

    Slashes at the end of a path, and double ones, go: Snakemake warns of them for every job.
    """
    settings = copy.deepcopy(settings)
    settings["container"] = _expanded(settings["container"])
    for program in checks.second_readers(settings).values():
        for key in ("container", "models", "masks"):
            if program[key] is not None:
                program[key] = _expanded(program[key])
    for part, keys in PATHS.items():
        for key in keys:
            value = settings[part][key]
            if value is not None:
                settings[part][key] = _expanded(value)
    return settings


def _expanded(path: str) -> str:
    path = os.path.expanduser(path)
    return path if "://" in path else re.sub(r"(?<=.)/+$", "", re.sub(r"/{2,}", "/", path))


_OWN = {"localizer.checkpoint": "resources/demo/", "container": "containers/"}
"""Files that come with the code or are made in its folder, by the key that may name one."""


def with_own_files(settings: dict, code: Path | None) -> dict:
    """A copy of complete settings in which the demo's checkpoint and the image are those of the folder ``code``, where the
    settings name them as there and the working directory has none of that name. All other paths count from that."""
    settings = copy.deepcopy(settings)
    for key, place in _OWN.items() if code is not None else ():
        part, _, name = key.rpartition(".")
        values = settings[part] if part else settings
        path = Path(code or "", values[name])
        if values[name].startswith(place) and not os.path.exists(values[name]) and path.is_file():
            values[name] = str(path)
    return settings


def problems(settings: dict, schema: dict) -> list[str]:
    """One sentence for each violation of the schema, in the order of the keys; empty where there is none."""
    errors = sorted(Draft202012Validator(schema).iter_errors(settings), key=lambda error: list(map(str, error.path)))
    return [_sentence(error) for error in errors] + list(_impossible(settings))


LONGEST = 4000
"""Characters that a path may have (Linux allows 4,095 bytes)."""


def _impossible(settings: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """A sentence for each value that the schema lets pass but no file system, shell or computation can take."""
    for key, value in settings.items():
        where = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _impossible(value, f"{where}.")
        elif isinstance(value, float) and not math.isfinite(value):
            yield f"{where} is {value}, but must be a number that is neither infinite nor undefined."
        elif isinstance(value, str):
            yield from _impossible_text(where, value)


def _impossible_text(where: str, text: str) -> Iterator[str]:
    strange = [character for character in text if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")]
    if strange:
        yield (
            f"{where} is {_shown(text)}, which holds a character that cannot be seen ({strange[0]!r}: a line break, NUL or "
            "the like); write it anew on one line."
        )
    elif len(os.fsencode(text)) > LONGEST:
        yield f"{where} is {len(text)} characters long, more than a path can be; shorten it."
    elif where in _NAMED and ("{" in text or "}" in text):
        yield f"{where} is {_shown(text)}, and Snakemake takes braces for wildcards; rename the file or folder."
    elif where in _NAMED and text.startswith("-"):
        yield f"{where} is {_shown(text)}, which programs would take for an option; write ./{text} or rename it."


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:100]}..."


def _sentence(error: ValidationError) -> str:
    schema: Any = error.schema
    value: Any = error.validator_value
    instance: Any = error.instance
    where = ".".join(str(part) for part in error.absolute_path)
    prefix = f"{where}." if where else ""
    if error.validator == "additionalProperties":
        known = list(schema.get("properties", {}))
        unknown = [key for key in instance if key not in known]
        told = [_unknown_key(prefix, str(key), known) for key in unknown]
        if prefix and any(instance[key] in (None, "", "None") for key in unknown):
            # --config 'source={path: data/a,b}' is YAML, in which the comma ends the path
            told.append(
                "a comma inside braces begins a new key: put a value that holds one in quotes, as in path: 'a,b'"
            )
        return "; ".join(told)
    if error.validator == "required":
        absent = [key for key in value if key not in instance]
        return f"{prefix}{absent[0]} is missing: {_description(schema['properties'][absent[0]])}"
    if error.validator == "enum":
        allowed = ", ".join("null" if allowed is None else str(allowed) for allowed in value)
        return f"{where} is {_shown(instance)}, but must be one of {allowed}"
    if error.validator == "pattern":
        return f"{where} is {_shown(instance)}, which does not fit: {_description(schema)}"
    if error.validator == "maxLength":
        return f"{where} is {len(instance)} characters long, but at most {value} are allowed: {_description(schema)}"
    if error.validator == "type" and _is_text(value) and isinstance(instance, (bool, int, float, date)):
        return _taken_for_no_text(where, instance)
    message = error.message if len(error.message) <= 200 else f"{error.message[:160]}..."
    return f"{where or 'the configuration'}: {message} ({_description(schema)})"


def _is_text(types: str | list[str]) -> bool:
    return types == "string" or "string" in types


def _taken_for_no_text(where: str, instance: object) -> str:
    """YAML and Snakemake's command line read 007 as 7, 2024_01 as 202401, 2024-01-01 as a date, yes as true."""
    *parts, key = where.split(".")
    line = f'{key}: "..."'
    return (
        f"{where} was read as {_shown(instance)} ({_KINDS[type(instance)]}), but must be text: write it in quotes in a "
        f"configuration file ({line}, given with --configfile; on the command line quotes do not help), or choose a name "
        "that begins with a letter"
    )


_KINDS = {bool: "true or false", int: "a number", float: "a number", date: "a date", datetime: "a date"}


def _unknown_key(prefix: str, key: str, known: list[str]) -> str:
    key = key if len(key) <= 60 and key.isprintable() else f"{key[:40]!r}..."
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {prefix}{close[0]}?" if close else f"known here: {', '.join(known)}."
    return f"unknown key {prefix}{key}; {hint}"


def _description(schema: dict) -> str:
    return " ".join(schema.get("description", "see config/README.md").split())
