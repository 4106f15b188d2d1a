"""The record of the method study in words and tables, for docs/evidence.md; every number comes from the record."""

from __future__ import annotations

from lstv.base.levels import LEVELS
from lstv.ranking.score import GROUPS
from lstv_evidence.method import contrasts_text
from lstv_evidence.method.design import ORDINARY, TRANSITIONAL, method_study_of_record
from lstv_evidence.method.markdown import entry, number, table, words
from lstv_evidence.method.study import CONFIDENCE, PLAIN_FIRST, SCORE_V1

LAYER_1 = tuple(f"{LEVELS[-1]}_{name}" for name in ("confidence", "entropy", "spatial_entropy", "area_px"))


def text(record: dict) -> str:
    """The whole fragment: both questions and their answers, then the tables."""
    parts = [_cohort(record), _answers(record), _areas(record), _components(record), _degrees(record), _groups(record)]
    return "\n\n".join(filter(None, [*parts, _chance(record), contrasts_text.text(record)])) + "\n"


def short(record: dict) -> str:
    """The cohort, and its groups against ordinary spines."""
    return "\n\n".join(filter(None, [_cohort(record), contrasts_text.text(record)])) + "\n"


def needed_short(record: dict) -> dict:
    """The part of the record that ``short`` is made from."""
    groups = [{key: group[key] for key in ("group", "studies")} for group in record["groups"]]
    return {key: record[key] for key in ("schema_version", "generator", "settings", "primary", "contrasts")} | {
        "groups": groups
    }


def shown(record: dict, against: str) -> list[dict]:
    """Metrics of the main table: the ranking, L5/S1 and the study as a whole, as far as they state a direction."""
    others = tuple(f"{level}_" for level in LEVELS[:-1])
    return [
        found
        for found in record["metrics"][against]
        if found["direction"] != "two-sided"
        and found.get("auc") is not None
        and not found["metric"].startswith(others)
        and found["metric"] not in ("rank_entropy", PLAIN_FIRST)
    ]


def needed(record: dict) -> dict:
    """The part of the record that ``text`` is made from."""
    kept = {found["metric"] for against in record["metrics"] for found in shown(record, against)}
    kept |= {record["primary"], record["compared_with"], SCORE_V1}
    metrics = {
        against: [found for found in entries if found["metric"] in kept]
        for against, entries in record["metrics"].items()
    }
    return {key: value for key, value in record.items() if key not in ("studies", "roc")} | {"metrics": metrics}


def _find(record: dict, metric: str, against: str = "all") -> dict:
    return next(found for found in record["metrics"][against] if found["metric"] == metric)


def _cohort(record: dict) -> str:
    study = method_study_of_record(record)
    counts = {group["group"]: group["studies"] for group in record["groups"]}
    kinds = ", ".join(f"{counts[kind]} {kind}" for kind in TRANSITIONAL)
    nuisances = ", ".join(f"{counts[name]} {words(name)}" for name in study.nuisances)
    return (
        f"{record['settings']['analysed']} of {record['settings']['studies']} phantoms analysed: {counts[ORDINARY]} "
        f"ordinary spines, {counts['transitional']} transitional ({kinds}; degrees "
        f"{study.degrees[0]:g} to {study.degrees[-1]:g}), and ordinary spines with a "
        f"nuisance of severity 0.5 to 1 ({nuisances})."
    )


def _answers(record: dict) -> str:
    lines = []
    for against, label in (("all", "all others, nuisances included"), (ORDINARY, "ordinary spines only")):
        score, plain = _find(record, record["primary"], against), _find(record, record["compared_with"], against)
        lines.append(
            f"- Transitional against {label}: AUC of the score {entry(score, 'auc')}, of the plain L5/S1 entropy "
            f"{entry(plain, 'auc')}; difference {entry(score, 'difference', sign=True)}, paired "
            f"{score.get('difference_interval', 'interval not available')}, on the {score.get('difference_studies', 0)} "
            "phantoms that have both."
        )
    for before in (found for found in record["metrics"]["all"] if found["metric"] == SCORE_V1):
        lines.append(
            f"- The same by the score before the picture was looked at (`score_v1`): AUC {entry(before, 'auc')}, "
            f"difference from the plain entropy {entry(before, 'difference', sign=True)}."
        )
    for against, label in (("all", "all others"), (ORDINARY, "ordinary spines only")):
        gain = record["against_confidence"].get(against, {})
        if gain:
            lines.append(
                f"- The score minus the other plain measure, the peak of L5/S1 ({CONFIDENCE}), against {label}: "
                f"{entry(gain, 'difference', sign=True)}."
            )
    order = record["final_order"]["all"]
    lines.append(
        f"- The final rank against the entropy as an order of all studies (not found first): difference in AUC "
        f"{entry(order, 'difference', sign=True)}. Of the first {order['looked_at']} by rank "
        f"{order['transitional_by_rank']} are transitional, of the first {order['looked_at']} by entropy "
        f"{order['transitional_by_entropy']}; by chance {number(order['expected_by_chance'], 0)}."
    )
    rank = next(group["median_rank"] for group in record["groups"] if group["group"] == "transitional")
    nuisances = [
        group
        for group in record["groups"]
        if group["group"] in method_study_of_record(record).nuisances and group["studies"]
    ]
    higher = [words(group["group"]) for group in nuisances if (group["score_difference"] or 0) < 0]
    earlier = [words(group["group"]) for group in nuisances if rank is not None and group["median_rank"] < rank]
    lines.append(
        f"- Nuisances above the transitional group: by mean score {', '.join(higher) or 'none'}; by median final rank, "
        f"which puts cropped fields and other quality problems last, {', '.join(earlier) or 'none'}."
    )
    close = [
        words(group["group"])
        for group in record["groups"]
        if (group.get("score_difference_low") or 0) < 0 and not group["above_transitional"]
    ]
    lines.append(
        "- Nuisances below it whose mean score is not clearly lower (the interval of the difference holds 0): "
        f"{', '.join(close) if close else 'none'}."
    )
    return "\n".join(lines)


def _areas(record: dict) -> str:
    ordinary = {found["metric"]: found for found in record["metrics"][ORDINARY]}
    rows = []
    for found in shown(record, "all"):
        name = found["metric"]
        mark = "**" if name == record["primary"] else "*" if name in LAYER_1 else ""
        rows.append(
            (
                f"{mark}{name}{mark}",
                entry(found, "auc"),
                entry(ordinary[name], "auc"),
                entry(found, "difference", sign=True),
                f"{found['undefined_positive']} / {found['undefined_negative']}",
            )
        )
    header = ("metric", "AUC against all others", "AUC against ordinary", "minus plain entropy", "undefined")
    return (
        "AUC with 95 % interval of the ranking (bold), of the metrics that were asked for (italic) and of all others that "
        "state a direction, for L5/S1 and the study as a whole. *Undefined*: transitional / other phantoms without the "
        "metric, which are left out of its row.\n\n" + table(header, rows)
    )


def _components(record: dict) -> str:
    found = next(item for item in record["without_component"] if item["against"] == "all")["components"]
    rows = [
        (
            item["component"],
            entry(item, "auc"),
            entry(item, "gain", 3, sign=True),
            f"{item['undefined_positive']} / {item['undefined_negative']}",
        )
        for item in found
    ]
    header = ("component", "AUC alone", "AUC of the score minus the score without it", "undefined")
    return (
        "What the components of the score contribute, against all others. This was looked at afterwards; the ranking is not "
        "changed by it.\n\n" + table(header, rows)
    )


def _degrees(record: dict) -> str:
    primary, plain = record["primary"], record["compared_with"]
    rows = [
        (
            item["kind"],
            "all" if item["degree"] is None else f"{item['degree']:g}",
            item["studies"],
            entry(item[primary], "auc"),
            entry(item[plain], "auc"),
            number(item["median_rank"], 0),
        )
        for item in record["by_degree"]
    ]
    header = ("kind", "degree", "n", "AUC of the score", "AUC of the plain entropy", "median rank")
    return (
        "By kind and degree, each against all that are not transitional (intervals after Newcombe below 20 phantoms).\n\n"
        + table(header, rows)
    )


def _groups(record: dict) -> str:
    first = record["final_order"]["all"]["looked_at"]
    rows = [
        (
            words(item["group"]),
            item["studies"],
            entry(item, "mean_score"),
            entry(item, "median_score"),
            entry(item, "score_difference", sign=True) if "score_difference" in item else "",
            entry(item, f"auc_{record['primary']}") if "score_difference" in item else "",
            number(item["median_rank"], 0),
            item["in_first"],
            " / ".join(str(item["placed"].get(word, 0)) for word in GROUPS),
        )
        for item in sorted(record["groups"], key=lambda item: -(item["mean_score"] or 0))
    ]
    header: tuple[str, ...] = (
        "group",
        "n",
        "mean score",
        "median score",
        "transitional minus group",
        "AUC transitional against group",
    )
    header += ("median rank", f"in the first {first}", " / ".join(GROUPS).replace("_", " "))
    return "Groups by mean score, and where the final rank puts them.\n\n" + table(header, rows)


def _chance(record: dict) -> str:
    weak = [f"`{found['metric']}`" for found in shown(record, "all") if found["auc_low"] <= 0.5 <= found["auc_high"]]
    wrong = [f"`{found['metric']}`" for found in shown(record, "all") if found["auc_high"] < 0.5]
    return (
        f"No better than chance against all others (the interval holds 0.5): {', '.join(weak) or 'none'}. "
        f"In the wrong direction (the whole interval below 0.5): {', '.join(wrong) or 'none'}."
    )
