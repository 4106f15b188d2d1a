"""Structured views move the image as they say, and their heatmaps come back to where they belong."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lstv.localizer.view_maker import ViewMaker
from lstv.localizer.views import SLICE_OFFSETS, VIEWS

NAMES = [view.name for view in VIEWS]


def spot(row, column, radius=5.0):
    rows, columns = np.mgrid[:160, :160]
    return np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * radius**2))


@pytest.fixture(scope="module")
def maker():
    return ViewMaker(torch.device("cpu"))


def centroid(image):
    image = image.astype(float)
    rows, columns = np.mgrid[:160, :160]
    return (image * rows).sum() / image.sum(), (image * columns).sum() / image.sum()


def made(maker, image):
    return maker.make(torch.from_numpy((255 * image).round().astype(np.uint8))[None])[0].numpy()


def test_names_are_unique_and_there_is_no_flip():
    assert len(set(NAMES)) == len(NAMES)
    for view in VIEWS:
        a, b, _, c, d, _ = view.matrix
        assert a * d - b * c > 0, view.name
    assert 0 not in SLICE_OFFSETS


def test_views_turn_the_image_about_its_middle_as_named(maker):
    views = dict(zip(NAMES, made(maker, spot(110, 70))))
    down, aside = 110 - 79.5, 70 - 79.5
    for degrees in (-10, -5, 5, 10):
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        expected = 79.5 + c * down - s * aside, 79.5 + c * aside + s * down
        assert np.allclose(centroid(views[f"rotation{degrees:+d}"]), expected, atol=0.2), degrees


def test_maps_come_back_to_the_centre_slices_grid(maker):
    image = spot(84, 76)
    probability = torch.from_numpy(made(maker, image)).float()[None, :, None] / 255
    back = maker.map_back(probability)[0, :, 0].numpy()
    for name, view, mapped in zip(NAMES, VIEWS, back):
        if view.gamma == 1.0 and view.noise == 0.0:
            assert np.allclose(centroid(mapped), (84, 76), atol=0.25), name
            assert np.abs(mapped - image).max() < 0.08, name


def test_valid_is_where_a_view_saw_the_slice(maker):
    valid = dict(zip(NAMES, maker.valid))
    assert valid["noise-5"].all() and valid["gamma-0.7"].all()
    for degrees in (-10, -5, 5, 10):
        seen = valid[f"rotation{degrees:+d}"]
        assert seen[10:150, 40:120].all() and not seen[[0, 0, -1, -1], [0, -1, 0, -1]].any(), degrees


def test_intensity_views(maker):
    views = dict(zip(NAMES, made(maker, np.full((160, 160), 0.5))))
    assert views["gamma-0.7"][80, 80] > 128 > views["gamma-1.4"][80, 80]
    assert abs(views["noise-12"].astype(float).std() - 12) < 1
    assert abs(views["noise-12"].astype(float).mean() - 128) < 1


def test_members_are_the_same_every_time():
    image = torch.from_numpy((255 * spot(60, 60)).astype(np.uint8))[None]
    first, second = (ViewMaker(torch.device("cpu")).make(image) for _ in range(2))
    assert torch.equal(first, second)
    # alone or in company
    both = ViewMaker(torch.device("cpu")).make(torch.cat([image.flip(1), image]))
    assert torch.equal(both[1:], first)
