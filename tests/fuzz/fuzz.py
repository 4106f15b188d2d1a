"""Mutate configurations, study sheets, ids and heatmap files and count what becomes of them: fine, a sentence, or a fault.

A fault is a traceback, an empty message, a study that is planned and not written, or other numbers read from damaged bytes.
`make fuzz` runs it with a new seed and many rounds; the tests run a few rounds with a fixed one.
"""

from __future__ import annotations

import argparse
import copy
import csv
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests/support")]

from lstv.base import ids  # noqa: E402
from lstv.base.errors import UserError  # noqa: E402
from lstv.cohort import known_studies, selection, study_sheet  # noqa: E402
from lstv.localizer import heatmap_file  # noqa: E402
from lstv.localizer.outcome import NotAnalysed  # noqa: E402
from lstv.run import settings  # noqa: E402

SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
NASTY = [
    *(
        "",
        " ",
        "\0",
        "a\0b",
        "demo\n",
        "\r\n",
        "\t",
        "\x1b[31m",
        "\ud800",
        "..",
        "../x",
        "/",
        "-",
        "--help",
        "~",
        "*",
        "{",
        "}",
    ),
    *(
        "{study}",
        "$(id)",
        "`id`",
        "; rm x",
        "' \"",
        "a b",
        "a,b",
        "=1+1",
        "@x",
        "+1",
        "NULL",
        "NA",
        "nan",
        "null",
        "~user",
        "0x1f",
    ),
    *(
        "007",
        "1e5",
        "1e400",
        "-1",
        "2024_01",
        "2024-01-01",
        "2024-13-45",
        "[",
        "{a: [}",
        ": :",
        "!!python/object:os.system x",
    ),
    *(
        "x" * 300,
        "y" * 5000,
        "a/" * 3000,
        "\u00fc",
        "u\u0308",
        "\u202e",
        "&a *a",
        "- - -",
        "\ufeff",
        "1:2:3",
        ".inf",
        ".nan",
    ),
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        10**30,
        1.5,
        2.0,
        float("inf"),
        float("nan"),
        [],
        {},
        [1],
        {"a": 1},
        {1: 2},
        [[]],
        b"x",
    ),
]


def configuration(rng: random.Random, folder: Path) -> None:
    """One mutated configuration through all that looks at it before a job runs."""
    given = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    for _ in range(rng.choice([1, 1, 2, 4])):
        place, properties = given, SCHEMA["properties"]
        key = rng.choice([*properties, "extra"])
        while isinstance(place.get(key), dict) and "properties" in properties.get(key, {}) and rng.random() < 0.8:
            place, properties = place[key], properties[key]["properties"]
            key = rng.choice([*properties, "extra", 7, ""])
        if rng.random() < 0.1:
            place.pop(key, None)
        else:
            place[key] = copy.deepcopy(rng.choice(NASTY))
    checked = settings.checked(given, SCHEMA)
    if not isinstance(checked["cohort"], str) or "\n" in checked["cohort"]:
        raise AssertionError("a cohort that no folder can be called passed")


def sheet(rng: random.Random, folder: Path) -> None:
    """One mutated sheet: every line a row, planned as it is written."""
    path = folder / "sheet.csv"
    names = list(study_sheet.COLUMNS)
    lines = [
        [str(rng.choice(NASTY)) if rng.random() < 0.4 else f"v{n}{i}" for i in range(len(names))] for n in range(5)
    ]
    for line in lines:
        line[names.index("use")], line[names.index("split")] = (
            rng.choice(["yes", "no", ""]),
            rng.choice(["", "train", "x"]),
        )
    with open(path, "w", newline="", encoding="utf-8", errors="replace") as stream:
        csv.writer(stream).writerows([names, *lines])
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice([0, 0, 1, 3])):
        at = rng.randrange(len(data))
        data[at : at + rng.choice([0, 1, 9])] = rng.randbytes(rng.choice([0, 1, 4]))
    path.write_bytes(bytes(data))
    rows = study_sheet.sheet_rows(path)
    chosen = selection.Selection(rng.choice(["production", "trial"]), 2)
    written = selection.apply_selection(rows, chosen, None)
    planned = selection.selected(known_studies.known_studies(path), chosen, None)
    if set(planned) != {row.study_id for row in written if row.use == "yes"}:
        raise AssertionError("planned and written studies differ")
    study_sheet.write_sheet(written, folder / "out.csv")
    again = study_sheet.read_sheet(folder / "out.csv")
    if [row.study_id for row in again] != [row.study_id for row in written]:
        raise AssertionError("a row was lost between writing and reading")


def study_id(rng: random.Random, folder: Path) -> None:
    """One id: a name of a file, or a stand-in with a reason."""
    text = "".join(
        str(rng.choice(NASTY)) if rng.random() < 0.3 else chr(rng.randrange(1, 400)) for _ in range(rng.randrange(9))
    )
    if rng.random() < 0.3:
        text = rng.choice("ab1.-") * rng.randrange(1, 260)
    safe = ids.safe_id(text)
    if not ids.is_safe(safe) or (safe != text) != (ids.problem(text) is not None):
        raise AssertionError(f"{text!r} became {safe!r}")
    (folder / f".{safe}.json").touch()
    (folder / f".{safe}.json").unlink()


class Heatmaps:
    """One damaged heatmap file: read as it was, or refused."""

    def __init__(self) -> None:
        import made_maps

        members = made_maps.as_members([made_maps.five_discs()])
        failed = NotAnalysed("3", "failed", "cut short", provenance={"n": 5})
        self._maps = [made_maps.study(study_id="1"), made_maps.study(study_id="2", members=members), failed]
        self._whole: bytes | None = None

    def __call__(self, rng: random.Random, folder: Path) -> None:
        path = folder / "maps.h5"
        if self._whole is None:
            with heatmap_file.create(path, {"checkpoint_sha256": "0" * 64}) as writer:
                for maps in self._maps:
                    writer.write(maps)
            self._whole = path.read_bytes()
            self._truth = self._read(path)
        data = bytearray(self._whole)
        at = rng.randrange(rng.choice([4096, len(data)]))
        kind = rng.randrange(4)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[at:]
        elif kind == 2:
            size = rng.choice([4, 64, 512, 4096])
            data[at : at + size] = bytes(len(data[at : at + size]))
        else:
            data[at] = rng.randrange(256)
        path.write_bytes(bytes(data))
        if self._read(path) != self._truth:
            raise AssertionError("other values were read from damaged bytes")

    def _read(self, path: Path) -> list[str]:
        found = [str(heatmap_file.read_run(path)), str(heatmap_file.study_ids(path))]
        for maps in self._maps:
            entry = asdict(heatmap_file.read_study(path, maps.study_id))
            found.append(
                repr({key: value.tobytes() if hasattr(value, "tobytes") else value for key, value in entry.items()})
            )
        return found


def run(kind: Callable[[random.Random, Path], None], seed: int, rounds: int) -> Counter[str]:
    """What became of ``rounds`` mutants; the first faults are printed with the seed that makes them again."""
    found: Counter[str] = Counter()
    name = getattr(kind, "__name__", type(kind).__name__.lower())
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            try:
                kind(random.Random(f"{seed}:{number}"), Path(folder))
                found["fine"] += 1
            except UserError as error:
                lines = str(error).splitlines()
                found["sentence" if lines and all(lines) else "fault"] += 1
            except Exception as error:
                found["fault"] += 1
                if found["fault"] <= 5:
                    print(
                        f"{name}, seed {seed}, round {number}: {type(error).__name__}: {str(error)[:200]}", flush=True
                    )
    return found


KINDS = {
    "configuration": lambda: configuration,
    "sheet": lambda: sheet,
    "study_id": lambda: study_id,
    "heatmaps": Heatmaps,
}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="(default: a new one)")
    parser.add_argument("--rounds", type=int, default=3000, help="mutants of each kind (default: %(default)s)")
    parser.add_argument("--kinds", nargs="*", choices=tuple(KINDS), default=tuple(KINDS))
    args = parser.parse_args(argv)
    faults = 0
    for name in args.kinds:
        found = run(KINDS[name](), args.seed, args.rounds)
        faults += found["fault"]
        print(
            f"{name}, seed {args.seed}: {args.rounds} mutants, "
            + ", ".join(f"{n} {k}" for k, n in sorted(found.items()))
        )
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
