"""The labelled studies of a cohort, and an account of the labels that are not used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from lstv.base.errors import UserError
from lstv.cohort.labels import Consensus, LabelFile
from lstv.evaluation.agreement import between, within
from lstv.evaluation.rates import confusion


@dataclass(frozen=True)
class Sample:
    """The studies that have both metrics and a label, by study id; all of length n."""

    rows: list[dict[str, str]]
    labels: np.ndarray
    weights: np.ndarray
    castellvi: np.ndarray

    @property
    def weighted(self) -> bool:
        """Whether the studies count differently."""
        return bool(len(self.weights)) and bool(np.ptp(self.weights) > 1e-9)

    @property
    def strata(self) -> np.ndarray:
        """What the bootstrap keeps fixed, int (n,): the sampling fractions where there are several, else the labels."""
        groups = np.round(self.weights, 6) if self.weighted else self.labels
        return np.unique(groups, return_inverse=True)[1]


def join(table: list[dict[str, str]], file: LabelFile, labels: Consensus) -> tuple[Sample, dict]:
    """Labelled studies with status ok, and the account: every label that is not used is named with why.

    Raises UserError where the label file has no label, or none of its studies is in the table.
    """
    by_id = {row["study_id"]: row for row in table}
    labelled = {*labels.studies, *labels.tied, *labels.unclear}
    if not labelled:
        raise UserError("the label file has no label yet; fill its column label with 0 or 1, or normal or lstv.")
    unknown = sorted(labelled - by_id.keys())
    if len(unknown) == len(labelled):
        raise UserError(
            f"none of the {len(labelled)} studies of the label file is in the cohort table (the first is "
            f"{unknown[0]!r}); study ids are compared as text, so check for changes by a spreadsheet."
        )
    not_ok: dict[str, list[str]] = {}
    for study_id in sorted(labelled & by_id.keys()):
        status = by_id[study_id]["status"]
        if status != "ok":
            not_ok.setdefault(status, []).append(study_id)
    used = [study_id for study_id in labels.studies if by_id.get(study_id, {}).get("status") == "ok"]
    chosen = [labels.studies[study_id] for study_id in used]
    sample = Sample(
        [by_id[study_id] for study_id in used],
        np.array([label.label for label in chosen], dtype=bool),
        np.array([label.weight for label in chosen], dtype=float),
        np.array([label.castellvi for label in chosen], dtype=str),
    )
    positives = int(sample.labels.sum())
    ok = sum(row["status"] == "ok" for row in table)
    account = {
        "studies_with_status_ok": ok,
        "studies_in_label_file": len(labelled),
        "rows_without_label": file.unread_rows,
        "used": len(used),
        "positive": positives,
        "negative": len(used) - positives,
        "has_weights": file.weighted,
        "weighted": sample.weighted,
        "weight_total": float(sample.weights.sum()),
        "prevalence": float(sample.weights[sample.labels].sum() / sample.weights.sum()) if used else None,
        "not_used": {"not_in_table": unknown, "tied": list(labels.tied), "unclear": list(labels.unclear), **not_ok},
        "queue": file.queue or None,
        "not_blinded": list(file.not_blinded),
        "agreement": between(file.readings),
        "agreement_with_oneself": within(file.readings, file.repeats),
        "castellvi": {
            grade: int((sample.castellvi == grade).sum()) for grade in sorted(set(sample.castellvi.tolist()) - {""})
        },
    }
    return sample, account


def verification(sample: Sample) -> dict | None:
    """What the partly verified strata say of the positives that were missed; None where all studies count the same.

    The upper limit is the exact one-sided 97.5 % limit of the positives' share among the sampled studies (Clopper &
    Pearson 1934, Biometrika 26:404) times the studies that they stand for, as if they were one simple random sample.
    """
    if not sample.weighted:
        return None
    partly = sample.weights > sample.weights.min() * (1 + 1e-6)
    studies, positives = int(partly.sum()), int((partly & sample.labels).sum())
    total = float(sample.weights[partly].sum())
    limit = 1.0 if positives == studies else float(beta.ppf(0.975, positives + 1, studies - positives))
    found = confusion(~partly, sample.labels, sample.weights).true_positive
    return {
        "fully_read": int((~partly).sum()),
        "sampled": studies,
        "stand_for": total,
        "positives_among_sampled": positives,
        "missed_at_most": limit * total,
        "sensitivity_of_the_flag_at_least": found / (found + limit * total) if found + limit * total > 0 else None,
    }
