"""Damaged compressed data that decodes without complaint is noticed by what it looks like."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEG2000Lossless

from dicom_files import save, write_series
from lstv.dicom.plausibility import implausible
from lstv.dicom.series import read_volume


def stack(depth: int = 9, side: int = 128) -> np.ndarray:
    """Smooth structures that change from slice to slice, with a little noise, as an image has."""
    z, y, x = np.mgrid[:depth, :side, :side].astype(float)
    noise = np.random.default_rng(0).normal(0, 15, z.shape)
    volume = 900 + 500 * np.sin(y / 9 + z / 3) * np.exp(-(((x - 60 - 3 * z) / 25) ** 2)) + noise
    return np.clip(volume, 0, 4095).astype(np.int64)


def scrambled(path) -> None:
    dataset = dcmread(path)
    frame = bytearray(next(generate_frames(dataset.PixelData, number_of_frames=1)))
    start = frame.index(b"\xff\x93") + 2
    end = len(frame) - 2
    frame[start + 64 : end] = np.random.default_rng(1).bytes(end - start - 64)
    dataset.PixelData = encapsulate([bytes(frame)])
    dataset["PixelData"].is_undefined_length = True
    save(dataset, path)


@pytest.mark.parametrize("which", [0, 4, 8])
def test_a_scrambled_slice_is_flagged(tmp_path, which):
    paths = write_series(tmp_path, stack(), transfer_syntax=JPEG2000Lossless)
    assert read_volume(tmp_path).flags == ()
    scrambled(paths[which])
    series = read_volume(tmp_path)
    assert "implausible_pixels" in series.flags or "unreadable_files" in series.flags


@pytest.mark.parametrize("damage", ["zeros behind", "a byte more", "a longer tile", "no end"])
def test_a_codestream_that_does_not_end_where_it_says_is_damaged(tmp_path, damage):
    paths = write_series(tmp_path, stack(), transfer_syntax=JPEG2000Lossless)
    dataset = dcmread(paths[4])
    frame = bytearray(next(generate_frames(dataset.PixelData, number_of_frames=1)))
    tile = frame.index(b"\xff\x90")
    if damage == "zeros behind":
        frame[len(frame) // 2 :] = bytes(len(frame) - len(frame) // 2)
    elif damage == "a byte more":
        frame.insert(len(frame) // 2, 7)
    elif damage == "a longer tile":
        frame[tile + 7] ^= 1
    else:
        end = tile + int.from_bytes(frame[tile + 6 : tile + 10], "big")
        frame[end:] = bytes(len(frame) - end)
    dataset.PixelData = encapsulate([bytes(frame)])
    dataset["PixelData"].is_undefined_length = True
    save(dataset, paths[4])
    series = read_volume(tmp_path)
    assert "unreadable_files" in series.flags and len(series.volume) == 8


def test_sound_stacks_are_not(tmp_path):
    volume = stack()
    assert implausible(list(volume)) == []
    assert implausible(list(volume[:, :20])) == []  # too small to tell
    volume[[0, 8]] = 0  # outside the body
    assert implausible(list(volume)) == []
    assert implausible([0 * image for image in volume]) == []


def test_the_slice_is_named():
    volume = stack()
    volume[5, 40:80, 40:80] += np.random.default_rng(2).integers(-600, 600, (40, 40))
    assert implausible(list(volume)) == [5]
