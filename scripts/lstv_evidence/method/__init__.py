"""What the metrics can and cannot do, measured: a study on phantoms of known truth, and planted changes on real series."""
