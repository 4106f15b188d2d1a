"""Every program under scripts/ says what it does, what it needs, what it assumes, and which version it is."""

from __future__ import annotations

import argparse
import importlib
import re
from pathlib import Path

import pytest

import lstv

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted(path.stem for path in (ROOT / "scripts").glob("*.py"))
WITH_OPTIONS = [name for name in PROGRAMS if name != "quiet_snakemake"]  # whose arguments are Snakemake's


def shown(name: str, argument: str, capsys: pytest.CaptureFixture[str]) -> str:
    try:
        status = importlib.import_module(name).main([argument])
    except SystemExit as end:
        status = end.code
    assert status == 0
    return capsys.readouterr().out


@pytest.fixture
def parser(monkeypatch):
    """The parser of a program, caught where it would parse."""

    def caught(name: str) -> argparse.ArgumentParser:
        found = []

        def parse_args(self, *_, **__):
            found.append(self)
            raise KeyboardInterrupt

        monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_args)
        with pytest.raises(KeyboardInterrupt):
            importlib.import_module(name).main([])
        return found[0]

    return caught


@pytest.mark.parametrize("name", PROGRAMS)
def test_version(name, capsys):
    assert shown(name, "--version", capsys) == f"lstv-uncertainty {lstv.__version__}\n"


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_begins_with_what_the_program_does(name, capsys):
    sentence = importlib.import_module(name).__doc__.strip().splitlines()[0]
    text = shown(name, "--help", capsys)
    assert text.startswith("usage: ") and " ".join(sentence.split()) in " ".join(text.split())


@pytest.mark.parametrize("name", WITH_OPTIONS)
def test_help_tells_of_each_option_what_it_is_whether_it_is_required_and_its_default(name, parser):
    found = parser(name)
    text = " ".join(found.format_help().split())
    for action in found._actions:
        option = action.option_strings[-1] if action.option_strings else action.dest
        assert action.help, f"{option} has no help"
        if action.option_strings and action.required:
            assert re.search(rf"{option} (?:(?! --).)*\(required\)", text), option
        elif action.default not in (None, False, [], argparse.SUPPRESS):
            assert "default" in action.help or f"(default: {action.default})" in text, option


def test_a_default_is_not_said_twice():
    text = argument_parser_help(help="so many (default: 3)")
    assert text.count("default") == 1


def argument_parser_help(**options: object) -> str:
    from lstv.base.cli import argument_parser

    found = argument_parser("A program.")
    found.add_argument("--number", default=3, **options)
    return found.format_help()
