"""How far readers agree with each other, and each with himself: Cohen's kappa with its interval.

Kappa: Cohen 1960, Educ Psychol Meas 20:37. Its standard error: Fleiss, Cohen & Everitt 1969, Psychol Bull 72:323.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lstv.cohort.labels import Reading
from lstv.evaluation.delong import Z
from lstv.evaluation.rates import wilson

QUESTIONS = ("label", "verdict", "castellvi")
"""What is compared: transitional or normal (unclear verdicts left out); the verdict in the reader's words, *cannot tell*
among them; the Castellvi type without a and b, ``none`` among them. Only where both answered."""


def kappa(first: Sequence[str | bool], second: Sequence[str | bool]) -> dict[str, Any]:
    """Agreement of two lists of answers beyond chance: ``studies``, ``same``, ``kappa``, ``kappa_low``, ``kappa_high``
    (95 %) and ``kappa_interval``, which says how it was made.

    ``asymptotic``: kappa and 1.96 standard errors, within -1 and 1. ``wilson``: where all answers agree the standard error
    is 0, so the interval is Wilson's of the share of agreement, with the agreement by chance as it was found. None where
    nothing was compared or where chance alone gives full agreement.
    """
    n = len(first)
    result: dict[str, Any] = {"studies": n, "same": sum(a == b for a, b in zip(first, second))}
    result |= dict.fromkeys(("kappa", "kappa_low", "kappa_high", "kappa_interval"))
    kinds = {kind: index for index, kind in enumerate(sorted({*first, *second}, key=str))}
    if len(kinds) < 2:
        return result
    table = np.zeros((len(kinds), len(kinds)))
    for a, b in zip(first, second):
        table[kinds[a], kinds[b]] += 1
    table /= n
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    observed, chance = float(np.trace(table)), float(rows @ columns)
    value = (observed - chance) / (1 - chance)
    result["kappa"] = value
    if result["same"] == n:
        low = wilson(1.0, n).low
        assert low is not None
        return result | {"kappa_low": (low - chance) / (1 - chance), "kappa_high": 1.0, "kappa_interval": "wilson"}
    half = Z * _standard_error(table, value, chance, n)
    return result | {
        "kappa_low": max(-1.0, value - half),
        "kappa_high": min(1.0, value + half),
        "kappa_interval": "asymptotic",
    }


def _standard_error(table: np.ndarray, value: float, chance: float, n: int) -> float:
    """Of kappa, not assuming that it is 0; ``table`` float (K, K), the shares of the pairs of answers."""
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    same = np.diag(table)
    agreeing = float((same * (1 - (rows + columns) * (1 - value)) ** 2).sum())
    squares = table * (columns[:, None] + rows[None, :]) ** 2
    differing = (1 - value) ** 2 * float(squares.sum() - np.trace(squares))
    variance = agreeing + differing - (value - chance * (1 - value)) ** 2
    return float(np.sqrt(max(variance, 0.0) / n) / (1 - chance))


def between(readings: Iterable[Reading]) -> list[dict[str, Any]]:
    """Agreement of each pair of named readers on the studies that both have read; one entry per pair and question."""
    answers = _answers(readings)
    return [
        {"readers": [one, other]} | entry
        for one, other in itertools.combinations(sorted(reader for reader in answers if reader), 2)
        for entry in _compared(answers[one], answers[other])
    ]


def within(readings: Iterable[Reading], repeats: Iterable[Reading]) -> list[dict[str, Any]]:
    """Agreement of each reader's second readings with his first; one entry per reader and question."""
    first, again = _answers(readings), _answers(repeats)
    return [
        {"reader": reader} | entry
        for reader in sorted(first.keys() & again.keys())
        for entry in _compared(first[reader], again[reader])
    ]


Answers = dict[str, dict[str, str | bool]]
"""By question and study id."""


def _answers(readings: Iterable[Reading]) -> dict[str, Answers]:
    """By reader; what was not answered is not there."""
    result: defaultdict[str, Answers] = defaultdict(lambda: {question: {} for question in QUESTIONS})
    for reading in readings:
        for question in QUESTIONS:
            answer = getattr(reading, question)
            if answer is not None and answer != "":
                result[reading.reader][question][reading.study_id] = answer
    return result


def _compared(one: Answers, other: Answers) -> list[dict[str, Any]]:
    entries = []
    for question in QUESTIONS:
        common = sorted(one[question].keys() & other[question].keys())
        if common:
            first, second = ([answers[question][study] for study in common] for answers in (one, other))
            entries.append({"question": question} | kappa(first, second))
    return entries
