"""Every rule of the workflow says what it takes, gives, logs, measures, needs and does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAD = re.compile(r"^(?:rule|checkpoint|use rule (?P<base>\w+) as) (?P<name>\w+)(?::| with:)$", re.MULTILINE)
DIRECTIVES = ("input", "output", "log", "benchmark", "container", "threads", "resources", "message", "shell")
INHERITED = {"container", "threads", "resources", "shell"}  # by `use rule`; what is a rule's own is said by it


def rules() -> dict[str, tuple[str | None, str]]:
    """Base rule, if any, and text of each rule by its name."""
    found = {}
    for path in sorted((ROOT / "workflow").glob("**/*.smk")):
        text = path.read_text()
        heads = list(HEAD.finditer(text))
        for head, end in zip(heads, [*(later.start() for later in heads[1:]), len(text)]):
            found[head["name"]] = (head["base"], text[head.end() : end])
    return found


RULES = {name: rule for name, rule in rules().items() if "    output:" in rule[1]}  # a rule without is a target


@pytest.mark.parametrize("name", RULES)
def test_nothing_is_missing(name):
    base, text = RULES[name]
    said = set(re.findall(r"^    (\w+):", text, re.MULTILINE)) | (INHERITED if base else set())
    assert set(DIRECTIVES) - said == set()
    assert base is None or base in RULES


@pytest.mark.parametrize("name", RULES)
def test_inputs_and_outputs_are_named(name):
    _, text = RULES[name]
    for directive in ("input", "output"):
        block = re.search(rf"^    {directive}:\n((?: {{8}}.*\n)+)", text, re.MULTILINE)
        entries = [line.strip() for line in block[1].splitlines() if re.match(r" {8}[^ )]", line)]
        assert [line for line in entries if not re.match(r"\w+=|\*\*script\(|#", line)] == []


@pytest.mark.parametrize("name", RULES)
def test_memory_and_time_grow_with_each_retry(name):
    base, text = RULES[name]
    own = re.search(r"\*\*growing\(mem_mb=\d+, runtime=\d+\)", text)
    assert own or base
    assert not re.search(r"^ {8}(mem_mb|runtime)=", text, re.MULTILINE)


def test_a_rule_file_is_included_by_the_index():
    index = (ROOT / "workflow/Snakefile").read_text()
    files = {path.name for path in (ROOT / "workflow/rules").glob("*.smk")}
    assert set(re.findall(r'include: "rules/(\w+\.smk)"', index)) == files


def test_the_rules_were_found():
    assert len(RULES) >= 20
