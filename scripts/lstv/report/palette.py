"""Colours that mean something: one hue for each disc level, told apart by colour-blind readers and on a grey image.

The hues are those of Okabe and Ito (2008, "Color Universal Design"); L5/S1 has the strongest, and its neighbour the one
farthest from it for every kind of colour vision. Colour is never the only sign: every level is also labelled.
"""

LEVEL_COLOURS = {
    "l1_l2": "#cc79a7",
    "l2_l3": "#f0e442",
    "l3_l4": "#00b383",
    "l4_l5": "#56b4e9",
    "l5_s1": "#ff7a1a",
}

JUNCTION = "l5_s1"
"""The level this project is about."""


def rgb(colour: str) -> tuple[int, int, int]:
    """``#rrggbb`` as three numbers 0..255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
