"""Colours that mean something: one hue for each disc level, told apart by colour-blind readers and on a grey image.

L5/S1 has the strongest hue. Any two differ by at least 0.13 in OKLab, also as seen with protanopia, deuteranopia or
tritanopia (simulated after Machado, Oliveira and Fernandes 2009, doi 10.1109/TVCG.2009.113); letters in them keep a
contrast of 4.5:1 on black. Colour is never the only sign: every level is also labelled.
"""

LEVEL_COLOURS = {
    "l1_l2": "#c9a0ff",
    "l2_l3": "#f0e442",
    "l3_l4": "#7ee0c0",
    "l4_l5": "#6b7aff",
    "l5_s1": "#ff7a1a",
}

JUNCTION = "l5_s1"
"""The level this project is about."""


def rgb(colour: str) -> tuple[int, int, int]:
    """``#rrggbb`` as three numbers 0..255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
