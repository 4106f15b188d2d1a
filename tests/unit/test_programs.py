"""Every program under scripts/ says what it does, what it needs, what it assumes, and which version it is."""

from __future__ import annotations

import argparse
import importlib
import re
from pathlib import Path

import pytest

import lstv
from lstv.base.numbers import of_setting, real, whole

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


@pytest.mark.parametrize("name", WITH_OPTIONS)
def test_numbers_have_limits(name, parser):
    """nan, infinities and numbers out of reach are refused where they are given, not in the middle of the work."""
    for action in parser(name)._actions:
        assert action.type is not float and (action.type is not int or action.choices), action.dest
        if action.type is not None and isinstance(action.default, int | float):
            for text in ("nan", "inf", "-inf"):
                with pytest.raises((argparse.ArgumentTypeError, ValueError)):
                    action.type(text)


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        (whole(1), "0", "'0' is not a whole number of 1 or more"),
        (whole(0, 65535), "65536", "'65536' is not a whole number from 0 to 65,535"),
        (whole(), "1.5", "'1.5' is not a whole number"),
        (real(), "nan", "'nan' is not a number"),
        (real(most=1), "-inf", "'-inf' is not finite; give a number of at most 1"),
        (real(above=0), "0", "'0' is not a number above 0"),
        (of_setting("review.repeated"), "1.5", "'1.5' is not a number from 0 to 1"),
        (of_setting("review.sample"), "-1", "'-1' is not a whole number of 0 or more"),
        (of_setting("localizer.workers"), "0", "'0' is not a whole number from 1 to 1,024"),
        (of_setting("localizer.study_seconds"), "1e308", "'1e308' is not a number from 1 to 1,000,000"),
        (
            of_setting("localizer.study_memory_mb"),
            "9" * 30,
            f"'{'9' * 30}' is not a whole number from 64 to 10,000,000",
        ),
        (of_setting("second_reader.study_minutes"), "0", "'0' is not a number above 0 and at most 100,000"),
    ],
)
@pytest.mark.fault("a number that an option cannot take", "refused with its limits, those of the configuration")
def test_a_number_that_an_option_cannot_take_is_refused_with_its_limits(kind, text, said):
    with pytest.raises(argparse.ArgumentTypeError) as raised:
        kind(text)
    assert str(raised.value) == said


def test_a_number_within_its_limits_is_read():
    assert whole(1)("1") == 1 and whole(0, 65535)("65535") == 65535 and whole()("-7") == -7
    assert of_setting("localizer.study_seconds")("0.5e2") == 50.0 and real(above=0)("1e-9") == 1e-9


def test_a_default_is_not_said_twice():
    text = argument_parser_help(help="so many (default: 3)")
    assert text.count("default") == 1


def argument_parser_help(**options: object) -> str:
    from lstv.base.cli import argument_parser

    found = argument_parser("A program.")
    found.add_argument("--number", default=3, **options)
    return found.format_help()
