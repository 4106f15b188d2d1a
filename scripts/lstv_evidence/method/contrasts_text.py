"""The groups of a method study against its ordinary spines, in tables; every number comes from the record."""

from __future__ import annotations

from lstv_evidence.method.contrasts import CLEAR
from lstv_evidence.method.design import TRANSITIONAL
from lstv_evidence.method.markdown import entry, number, table, words

HIGH = 0.65
"""A nuisance above this area against ordinary spines ranks like a transitional vertebra."""


def text(record: dict) -> str:
    """Two answers and three tables; empty for a record of before there were contrasts."""
    contrasts = record.get("contrasts")
    if not contrasts:
        return ""
    return "\n\n".join([_answers(record), _kinds(record), _nuisances(record), _components(record)])


def _is_transitional(item: dict) -> bool:
    return item["group"] in ("transitional", *TRANSITIONAL)


def _name(item: dict) -> str:
    if item["at_least"] is not None:
        return f"{item['group']}, degree ≥ {item['at_least']:g}"
    return words(item["group"]) + (f" {item['degree']:g}" if item["degree"] is not None else "")


def _answers(record: dict) -> str:
    primary = record["primary"]
    first = next(item for item in record["contrasts"] if item["group"] == "transitional" and item["at_least"] == CLEAR)
    nuisances = [item for item in record["contrasts"] if not _is_transitional(item)]
    high = [
        f"{words(item['group'])} {entry(item['areas'][primary], 'auc')}"
        for item in nuisances
        if (item["areas"][primary]["auc"] or 0) > HIGH
    ]
    away = [
        f"{words(item['group'])} {entry(item['areas'][primary], 'auc')}"
        for item in nuisances
        if item["areas"][primary]["auc"] is not None and item["areas"][primary]["auc_low"] > 0.5
    ]
    return (
        f"- Degree {CLEAR:g} and more against ordinary spines: AUC of the {primary} "
        f"{entry(first['areas'][primary], 'auc')}, n = {first['studies']}.\n"
        f"- Nuisances and controls whose {primary} has an AUC above {HIGH:g} against ordinary spines: "
        f"{'; '.join(high) or 'none'}. Whose whole interval lies above 0.5: {'; '.join(away) or 'none'}."
    )


def _areas(record: dict, chosen: list[dict]) -> str:
    names = list(chosen[0]["areas"])
    rows = [(_name(item), item["studies"], *(entry(item["areas"][name], "auc") for name in names)) for item in chosen]
    return table(("group", "n", *names), rows)


def _kinds(record: dict) -> str:
    return (
        "Transitional spines against ordinary ones, by kind and degree: AUC with 95 % interval.\n\n"
        + _areas(record, [item for item in record["contrasts"] if _is_transitional(item)])
    )  # fmt: skip


def _nuisances(record: dict) -> str:
    return (
        "Nuisances and controls against ordinary spines: 0.5 is as it should be, above it they rank before them.\n\n"
        + _areas(record, [item for item in record["contrasts"] if not _is_transitional(item)])
    )  # fmt: skip


def _components(record: dict) -> str:
    names = list(record["contrasts"][0]["components"])
    rows = [(_name(item), *(number(item["components"][name]["auc"]) for name in names)) for item in record["contrasts"]]
    return "The components of the score alone, the same comparisons.\n\n" + table(("group", *names), rows)
