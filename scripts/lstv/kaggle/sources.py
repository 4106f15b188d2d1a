"""Names of what this project uses on Kaggle."""

from __future__ import annotations

DATASET_OWNER = "hengck23"
DATASET = "rsna2024-demo-workflow"
CHECKPOINT = "00002484.pth"
VALID_IDS = "valid_id.npy"
VALID_ID_COUNT = 283
"""Number of studies in the published ``valid_id.npy``."""

COMPETITION = "rsna-2024-lumbar-spine-degenerative-classification"

SETTINGS_PAGE = "https://www.kaggle.com/settings/api"
DATASET_PAGE = f"https://www.kaggle.com/datasets/{DATASET_OWNER}/{DATASET}"
RULES_PAGE = f"https://www.kaggle.com/competitions/{COMPETITION}/rules"
DATA_PAGE = f"https://www.kaggle.com/competitions/{COMPETITION}/data"
