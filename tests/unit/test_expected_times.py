"""The table of expected times in docs/hpc.md: made of the recorded runs, by a model that gives back what is put in."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def expected() -> ModuleType:
    folder = ROOT / "tests/benchmarks"
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location("expected", folder / "expected.py")
        module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(folder))


def test_the_table_in_the_docs_is_that_of_the_recorded_runs(expected):
    text = expected.PAGE.read_text(encoding="utf-8")
    written = text.partition(expected.BEGIN)[2].partition(expected.END)[0].strip()
    assert written == expected.table(json.loads(expected.TIMES.read_text())), "run tests/benchmarks/expected.py --kept"


def test_start_and_cost_of_a_study_are_told_apart(expected):
    """Three rules and Snakemake itself, of known costs, in the two runs that are made."""
    starts = {"infer_heatmaps": (5.0, 0.25), "study_pages": (1.0, 0.02), "cohort_table": (0.5, 0.001)}
    runs = []
    for studies, batches in ((8, 1), (140, 2)):
        rules = {}
        for name, (start, study) in starts.items():
            jobs = batches if name in expected.BY_BATCH else 1
            rules[name] = {"jobs": jobs, "cpu_seconds": jobs * start + studies * study}
        own = 3.0 + 0.5 * sum(rule["jobs"] for rule in rules.values())
        runs.append({"studies": studies, "rules": rules, "snakemake_and_shells_cpu_seconds": own})
    gpu = [
        {"run": "centre-one-batch", "studies": 128, "seconds": 7 + 128 * 0.01},
        {"run": "centre", "studies": 2000, "seconds": 7 + 2000 * 0.01},
        {"run": "full", "studies": 600, "images": 25, "seconds": 7 + 600 * (0.01 + 24 * 0.001)},
    ]
    known = expected.costs({"runs": runs, "gpu": gpu, "forward_ms": 100.0})
    for name, cost in starts.items():
        assert (known.rules[name].start, known.rules[name].study) == pytest.approx(cost), name
    assert (known.snakemake.start, known.snakemake.study) == pytest.approx((3.0, 0.5))
    assert (known.gpu["full"].start, known.gpu["full"].study) == pytest.approx((7.0, 0.01 + 12 * 0.001))
    assert known.more["full"] == pytest.approx(1.2)
    alone = expected.local(known, 100, 1)  # one core, one batch: all that was put in, one after another
    assert alone == pytest.approx(3 + 3 * 0.5 + sum(start + 100 * study for start, study in starts.values()))
    assert expected.local(known, 100, 4) < alone < expected.local(known, 100, 1, members="full")
    assert expected.slurm(known, 20_000) < expected.local(known, 20_000, 16, gpu=True)


def test_the_model_knows_how_many_processes_share_a_batch(expected):
    said = "MOST_THREADS_OF_A_BATCH, THREADS_OF_FEW_BATCHES = {}, {}\n".format(*expected.PROCESSES)
    assert said in (ROOT / "workflow/rules/common.smk").read_text()


def test_words_have_two_figures(expected):
    said = [expected.words(seconds) for seconds in (7.3, 43, 61, 630, 5300, 5500, 40_000)]
    assert said == ["7 s", "45 s", "1.0 min", "10 min", "88 min", "1.5 h", "11 h"]
