"""The record of the planted changes in tables, for docs/evidence.md; every number comes from the record."""

from __future__ import annotations

from lstv.base.levels import LEVELS
from lstv.ranking.score import GROUPS
from lstv.uncertainty import FAMILIES
from lstv_evidence.method.markdown import number, table
from lstv_evidence.method.planting import ORIGINAL


def text(record: dict) -> str:
    """The whole fragment."""
    parts = [_discrimination(record), _left_out(record), _places(record), _flags(record)]
    return "\n\n".join([*parts, _metrics(record), _still(record)]) + "\n"


def _discrimination(record: dict) -> str:
    titles = {change["name"]: change["title"] for change in record["changes"]}
    names = [name for name in record["discrimination"][0] if name != "change"]
    rows = [(titles[row["change"]], *(_area(row[name]) for name in names)) for row in record["discrimination"]]
    return (
        f"Area under the ROC curve of the changed studies against the unchanged ones of the others, {record['studies']} "
        "patients, with the 95 % interval of a bootstrap over patients. Controls must stay near 0.5. `score_v1`: the score "
        "before the picture was looked at; the other columns are the metrics of the score, each in its direction.\n\n"
        + table(("planted", *(f"`{name}`" for name in names)), rows)
    )


def _area(area: dict) -> str:
    if area["auc"] is None:
        return "–"
    return f"{number(area['auc'], 2)} ({number(area['low'], 2)} to {number(area['high'], 2)})"


def _left_out(record: dict) -> str:
    if not record["left_out"]:
        return "No study was left out."
    said = "; ".join(f"{study['study_id']}: {study['reason']}" for study in record["left_out"])
    return f"Left out, {len(record['left_out'])} studies: {said}."


def _places(record: dict) -> str:
    titles = {ORIGINAL: "nothing"} | {change["name"]: change["title"] for change in record["changes"]}
    rows = [
        (
            titles[name],
            number(place["median_rank"], 1),
            place["first_three"],
            number(place["median_rank_entropy"], 1),
            place["first_three_entropy"],
            " / ".join(str(place["placed"].get(word, 0)) for word in GROUPS),
        )
        for name, place in record["places"].items()
    ]
    header: tuple[str, ...] = ("planted in one study", "median final rank", "in the first 3", "median rank by entropy")
    header += ("in the first 3 by entropy", " / ".join(GROUPS).replace("_", " "))
    n = record["studies"]
    return (
        f"One of {n} studies is changed, the others stay as they are, in turn for all {n}. By chance the median rank is "
        f"{number((n + 1) / 2, 1)} and {number(3 * min(n, 3) / 3, 0)} of {n} are in the first 3.\n\n"
        + table(header, rows)
    )


def _flags(record: dict) -> str:
    lines = []
    for change in record["changes"]:
        new = record["flags"][change["name"]]
        said = ", ".join(
            f"`{flag}` {count}" for flag, count in sorted(new.items(), key=lambda item: (-item[1], item[0]))
        )
        lines.append(f"- {change['title']}: {said or 'no new flag'}")
    return f"New flags, in how many of the {record['studies']} studies:\n\n" + "\n".join(lines)


def _metrics(record: dict) -> str:
    rows = []
    for family in FAMILIES:
        for found in record["metrics"]:
            if found["family"] == family and _measured(found):
                cells = [
                    _cell(found["changes"][change["name"]]) for change in record["changes"] if not change["control"]
                ]
                rows.append((found["metric"], *cells))
    return (
        "Median change in robust standard deviations of the originals, and in how many studies the metric went up ↑ and "
        "down ↓ (∅: became undefined). Bold: at least 1 standard deviation, and all or nearly all in the same direction "
        f"(sign test, p < 0.05; with {len(rows)} metrics some are bold by chance; the controls are in the CSV). `raw`: no "
        "spread among the originals, so the median change itself.\n\n"
        + table(("metric", *(change["title"] for change in record["changes"] if not change["control"])), rows)
    )


def _measured(found: dict) -> bool:
    """Whether any change moved it in any study; the stability of one's own level beside the junction's is left out."""
    return any(effect["up"] + effect["down"] + effect["became_undefined"] for effect in found["changes"].values())


def _cell(effect: dict) -> str:
    gone = f" {effect['became_undefined']}∅" if effect["became_undefined"] else ""
    if effect["median"] is None:
        return gone.strip() or "–"
    size = effect["median_in_sd"]
    # a unit that is nearly 0 makes figures of any size; they say no more than that the metric moved
    shown = f"raw {number(effect['median'], 2, True)}" if size is None else _size(size)
    cell = f"{shown}, {effect['up']}↑ {effect['down']}↓{gone}"
    return f"**{cell}**" if effect["moved"] else cell


def _size(size: float) -> str:
    return f"{'>' if size > 0 else '< −'}{' ' if size > 0 else ''}100" if abs(size) > 100 else number(size, 1, True)


def _still(record: dict) -> str:
    plain = f"{LEVELS[-1]}_entropy"
    found = next(item for item in record["metrics"] if item["metric"] == plain)
    moved = [
        f"{change['title']} ({'up' if effect['median'] > 0 else 'down'})"
        for change in record["changes"]
        if (effect := found["changes"][change["name"]])["moved"]
    ]
    return f"The plain L5/S1 entropy moves with: {', '.join(moved) if moved else 'none of them'}."
