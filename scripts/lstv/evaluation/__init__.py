"""Comparison of the cohort table with labels: curves, intervals, predictive values. See docs/evaluation.md."""
