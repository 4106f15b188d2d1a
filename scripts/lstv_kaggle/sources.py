"""Names of what this project uses on Kaggle."""

from __future__ import annotations

DATASET_OWNER = "hengck23"
DATASET = "rsna2024-demo-workflow"
CHECKPOINT = "00002484.pth"
VALID_IDS = "valid_id.npy"
VALID_ID_COUNT = 283
"""Number of studies in the published ``valid_id.npy``."""

CHECKPOINT_BYTES = (60_000_000, 1_000_000_000)
"""Plausible sizes of the point net's file. Its 32.5 million numbers are 130 MB in single and 65 MB in half precision; with
an optimizer's state beside them three times as much. Its exact size is published nowhere."""

COMPETITION = "rsna-2024-lumbar-spine-degenerative-classification"

SETTINGS_PAGE = "https://www.kaggle.com/settings/api"
DATASET_PAGE = f"https://www.kaggle.com/datasets/{DATASET_OWNER}/{DATASET}"
RULES_PAGE = f"https://www.kaggle.com/competitions/{COMPETITION}/rules"
DATA_PAGE = f"https://www.kaggle.com/competitions/{COMPETITION}/data"
