"""What the picture shows at the points of a localizer: a straightened strip, the discs along it, and their contrast.

Coordinates are (x, y) in mm. On a slice x runs along its rows and y along its columns; on a strip x runs across the
column of vertebrae, to posterior, and y along it, to caudal. Signs are within one patient: ratios and counts, never
intensities.
"""
