"""From metrics to an order: the score, the cohort table, the review queue."""
