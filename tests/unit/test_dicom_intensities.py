"""Counting values and looking them up must equal plain numpy on the whole stack, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from lstv.dicom.intensities import FULL_RANGE, IDENTITY, TRAINED_PERCENTILES, BlankImage, Transform, scale


def plain(volume: np.ndarray) -> np.ndarray:
    """What the point net was trained with, written down as the training code has it."""
    low, high = np.percentile(volume, (0.1, 99.9))
    volume = np.clip(volume, low, high)
    volume = volume - np.min(volume)
    volume = volume / np.max(volume)
    return (volume * 255).astype(np.uint8)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    ("dtype", "low", "high"), [("u2", 0, 4096), ("i2", -32768, 32768), ("u1", 0, 256), ("i1", -128, 128)]
)
def test_equals_plain_numpy_for_integers(dtype, low, high, seed):
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(3, 7)), int(rng.integers(5, 40)), int(rng.integers(5, 40)))
    volume = rng.integers(low, high, shape).astype(dtype)
    if seed % 2:
        volume = (low + (volume.astype(float) - low) ** 3 / (high - low) ** 2).astype(dtype)
    scaled, bottom, top = scale(list(volume), [IDENTITY] * len(volume), TRAINED_PERCENTILES)
    assert scaled.dtype == np.uint8
    np.testing.assert_array_equal(scaled, plain(volume.astype(np.float64)))
    assert [bottom, top] == np.percentile(volume.astype(np.float64), (0.1, 99.9)).tolist()


def test_equals_plain_numpy_with_a_rescale_and_inversion_per_slice():
    rng = np.random.default_rng(3)
    volume = rng.integers(0, 1024, (6, 31, 17)).astype(np.uint16)
    transforms = [Transform(*pair) for pair in [(1.5, -3.0), (0.37, 0.0), (-2.0, 5.0), (1.5, -3.0), (1.0, 0.1)]]
    transforms.append(Transform(2.0, 1.0, mirror=1023))
    values = [array * t.slope + t.intercept for array, t in zip(volume.astype(np.float64), transforms[:5])]
    values.append((1023 - volume[5].astype(np.float64)) * 2.0 + 1.0)
    scaled, _, _ = scale(list(volume), transforms, TRAINED_PERCENTILES)
    np.testing.assert_array_equal(scaled, plain(np.stack(values)))


@pytest.mark.parametrize("seed", range(20))
def test_percentiles_between_two_values_are_numpy_s_to_the_last_bit(seed):
    rng = np.random.default_rng(seed)
    volume = rng.integers(0, 60000, (3, 13, 17 + seed)).astype(np.uint16)
    transforms = [Transform(*rng.uniform(0.1, 3, 2)) for _ in volume]
    values = np.stack([t.slope * array.astype(np.float64) + t.intercept for array, t in zip(volume, transforms)])
    _, low, high = scale(list(volume), transforms, TRAINED_PERCENTILES)
    assert [low, high] == np.percentile(values, (0.1, 99.9)).tolist()


def test_wide_integers_take_the_plain_path_with_the_same_result():
    volume = np.random.default_rng(4).integers(0, 4000, (3, 20, 20))
    narrow = scale(list(volume.astype(np.uint16)), [IDENTITY] * 3, TRAINED_PERCENTILES)
    wide = scale(list(volume.astype(np.int32)), [IDENTITY] * 3, TRAINED_PERCENTILES)
    np.testing.assert_array_equal(narrow[0], wide[0])
    assert narrow[1:] == wide[1:]


def test_views_that_are_not_contiguous_are_read_right():
    volume = np.random.default_rng(5).integers(0, 4000, (3, 12, 20)).astype(np.uint16)
    turned, _, _ = scale([image.T[::-1] for image in volume], [IDENTITY] * 3, TRAINED_PERCENTILES)
    straight, _, _ = scale(list(volume), [IDENTITY] * 3, TRAINED_PERCENTILES)
    np.testing.assert_array_equal(turned, straight.transpose(0, 2, 1)[:, ::-1])


def test_full_range_is_minimum_to_maximum():
    volume = np.random.default_rng(6).integers(-500, 900, (4, 9, 9)).astype(np.int16)
    scaled, low, high = scale(list(volume), [IDENTITY] * 4, FULL_RANGE)
    wide = volume.astype(np.float64)
    assert (low, high) == (wide.min(), wide.max())
    np.testing.assert_array_equal(scaled, ((wide - low) / (high - low) * 255).astype(np.uint8))


def test_one_bright_voxel_does_not_darken_the_stack():
    volume = np.random.default_rng(7).integers(0, 1000, (4, 40, 40)).astype(np.uint16)
    volume[0, 0, 0] = 60000
    scaled, _, _ = scale(list(volume), [IDENTITY] * 4, TRAINED_PERCENTILES)
    assert np.median(scaled) > 100


@pytest.mark.parametrize("dtype", ["u2", "i4"])
def test_constant_images_are_blank(dtype):
    with pytest.raises(BlankImage):
        scale([np.full((4, 4), 7, dtype)] * 3, [IDENTITY] * 3, TRAINED_PERCENTILES)
