"""The disc levels the point net names, in its channel order (channel 0 is background)."""

LEVELS = ("l1_l2", "l2_l3", "l3_l4", "l4_l5", "l5_s1")
"""Column and key names, cranial to caudal; ``LEVELS[k - 1]`` is channel ``k`` of the network."""

LEVEL_LABELS = {level: level.upper().replace("_", "/") for level in LEVELS}
"""Names as a radiologist writes them: ``l5_s1`` -> ``L5/S1``."""

GRID = 160
"""Side of the square image and heatmap of the point net, in pixels."""
