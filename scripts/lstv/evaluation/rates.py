"""Sensitivity, specificity, likelihood ratios and predictive values of a yes/no rule, with their intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lstv.evaluation.delong import Z

PREVALENCES = (0.04, 0.12, 0.18, 0.36)
"""Prevalences of LSTV that predictive values are given for: the spread of published definitions and populations."""


@dataclass(frozen=True)
class Rate:
    """A proportion with its 95 % interval; all None where nobody was at risk."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Confusion:
    """Weights of the four cells of a rule, the numbers of studies behind them, and the effective group sizes."""

    true_positive: float
    false_negative: float
    false_positive: float
    true_negative: float
    effective_positives: float
    effective_negatives: float

    @property
    def sensitivity(self) -> Rate:
        return wilson(_share(self.true_positive, self.false_negative), self.effective_positives)

    @property
    def specificity(self) -> Rate:
        return wilson(_share(self.true_negative, self.false_positive), self.effective_negatives)

    @property
    def flagged(self) -> float:
        """Share of all studies that the rule flags."""
        return _share(self.true_positive + self.false_positive, self.false_negative + self.true_negative) or 0.0


def confusion(flagged: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> Confusion:
    """Cells of a rule; ``flagged`` and ``labels`` bool (n,), ``weights`` float (n,)."""
    return Confusion(
        true_positive=float(weights[flagged & labels].sum()),
        false_negative=float(weights[~flagged & labels].sum()),
        false_positive=float(weights[flagged & ~labels].sum()),
        true_negative=float(weights[~flagged & ~labels].sum()),
        effective_positives=effective_size(weights[labels]),
        effective_negatives=effective_size(weights[~labels]),
    )


def effective_size(weights: np.ndarray) -> float:
    """Number of equally weighted studies that would be as precise: (sum w)^2 / sum w^2 (Kish 1965, Survey Sampling)."""
    return float(weights.sum() ** 2 / (weights**2).sum()) if len(weights) else 0.0


def wilson(share: float | None, size: float) -> Rate:
    """Score interval of a proportion (Wilson 1927, JASA 22:209); with weights, ``size`` is the effective size."""
    if share is None or size <= 0:
        return Rate(None, None, None)
    centre = (share + Z**2 / (2 * size)) / (1 + Z**2 / size)
    half = Z / (1 + Z**2 / size) * np.sqrt(share * (1 - share) / size + Z**2 / (4 * size**2))
    return Rate(share, float(max(0.0, centre - half)), float(min(1.0, centre + half)))


def likelihood_ratios(table: Confusion) -> tuple[Rate, Rate]:
    """LR+ = sensitivity / (1 - specificity) and LR- = (1 - sensitivity) / specificity with log intervals.

    Simel, Samsa & Matchar 1991, J Clin Epidemiol 44:763. All None where a cell that is divided by is empty.
    """
    sensitivity, specificity = table.sensitivity.value, table.specificity.value
    if sensitivity is None or specificity is None:
        return Rate(None, None, None), Rate(None, None, None)
    m, n = table.effective_positives, table.effective_negatives
    return _ratio(sensitivity, m, 1 - specificity, n), _ratio(1 - sensitivity, m, specificity, n)


def predictive_values(sensitivity: float, specificity: float, prevalence: float) -> tuple[float | None, float | None]:
    """PPV and NPV by Bayes' theorem; PPV None where nobody is flagged, NPV None where everybody is."""
    true, false = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    missed, cleared = (1 - sensitivity) * prevalence, specificity * (1 - prevalence)
    return _share(true, false), _share(cleared, missed)


def predictive_table(sensitivity: Rate, specificity: Rate) -> list[dict]:
    """PPV and NPV at each of ``PREVALENCES`` beside flagging nobody, whose NPV is 1 - prevalence.

    The ranges take both intervals at their worst and at their best ends together, so they cover at least 95 %.
    """
    rows = []
    for prevalence in PREVALENCES:
        row: dict[str, float | None] = {"prevalence": prevalence, "npv_flag_nobody": 1 - prevalence}
        for suffix, end in (("", "value"), ("_low", "low"), ("_high", "high")):
            ppv, npv = predictive_values(getattr(sensitivity, end), getattr(specificity, end), prevalence)
            row |= {f"ppv{suffix}": ppv, f"npv{suffix}": npv}
        rows.append(row)
    return rows


def _share(part: float, rest: float) -> float | None:
    return float(part / (part + rest)) if part + rest > 0 else None


def _ratio(upper: float, upper_size: float, lower: float, lower_size: float) -> Rate:
    if lower <= 0:
        return Rate(None, None, None)
    value = upper / lower
    if upper <= 0:
        return Rate(0.0, None, None)
    half = Z * np.sqrt((1 - upper) / (upper * upper_size) + (1 - lower) / (lower * lower_size))
    return Rate(float(value), float(value * np.exp(-half)), float(value * np.exp(half)))
