"""What differs between the phantoms of the second generator, in tables for docs/method.md."""

from __future__ import annotations

from lstv_evidence.method.markdown import table, words
from lstv_evidence.phantoms_by_patient import traits


def text() -> str:
    """Traits with their distributions and sources, the correlations, and how often discs are worn."""
    rows = [
        (words(t.name), f"{t.mean:g} ({t.deviation:g})", f"{t.low:g} to {t.high:g}".replace("-", "−"), t.unit, t.source)
        for t in traits.TRAITS
    ]
    pairs = ", ".join(f"{words(first)} and {words(second)} {value:+g}" for first, second, value in traits.CORRELATIONS)
    worn = ", ".join(
        f"{level} {share:g}"
        for level, share in zip(("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1"), traits.WORN.values())
    )
    return (
        table(("trait", "mean (standard deviation)", "cut off at", "what", "source"), rows)
        + f"\n\nCorrelations (proposals of this project): {pairs.replace('-', '−')}; wear with none. "
        f"Share of discs that are worn (Kanayama, J Neurosurg Spine 2009;11:501): {worn}. A worn disc is narrow (down to "
        f"0.45 of its height), dark and bulging; {traits.MARROW_CHANGE:.0%} of the badly worn have changed marrow beside "
        "them (proposal)."
    )  # fmt: skip
