"""Masks that other programs made of the same series: what they call the levels, and what can be measured on them."""
