"""Writes DICOM files at test time: series in any orientation, order, encoding and transfer syntax.

``write_series`` writes one file a slice, ``write_enhanced`` one multi-frame Enhanced MR file. Compressed data is made by
GDCM (JPEG, JPEG-LS), OpenJPEG (JPEG 2000) and pydicom (RLE); twelve-bit JPEG extended, which no encoder at hand writes, by
``jpeg_extended_12bit`` here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import gdcm
import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEG2000TransferSyntaxes,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    MRImageStorage,
    RLELossless,
    generate_uid,
)

SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


def textured_volume(shape: tuple[int, int, int] = (5, 32, 40), top: int = 4095, seed: int = 0) -> np.ndarray:
    """Smooth-ish int64 volume from 0 to ``top`` in which no two slices, rows or columns are alike."""
    rng = np.random.default_rng(seed)
    depth, height, width = np.ogrid[: shape[0], : shape[1], : shape[2]]
    volume = 3.0 * height + 2.0 * width + 5.0 * depth + rng.uniform(0, 20, shape)
    volume -= volume.min()
    return np.floor(volume / volume.max() * top).astype(np.int64)


def write_series(
    folder: Path,
    volume: np.ndarray,
    *,
    transfer_syntax: str = ExplicitVRLittleEndian,
    orientation: Sequence[float] = SAGITTAL,
    origin: Sequence[float] = (20.0, -80.0, 120.0),
    slice_spacing: float = 4.0,
    pixel_spacing: tuple[float, float] = (1.5, 1.25),
    bits_allocated: int = 16,
    bits_stored: int = 12,
    high_bit: int | None = None,
    signed: bool = False,
    junk: bool = False,
    photometric: str = "MONOCHROME2",
    instance_numbers: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    series_uid: str | None = None,
    quality: int = 0,
    each: Callable[[Dataset, int], None] | None = None,
    **tags,
) -> list[Path]:
    """Write ``volume`` (D, H, W) of stored values; slice i lies at ``origin`` + i * ``slice_spacing`` * normal.

    ``junk`` fills the bits outside BitsStored and HighBit; ``quality`` is the allowed error of near-lossless JPEG-LS;
    ``each(dataset, i)`` changes a data set just before it is written; ``tags`` are elements by keyword (None leaves one
    out). Returns the paths in slice order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    series_uid, frame_of_reference = series_uid or generate_uid(), generate_uid()
    row, column = np.array(orientation[:3], float), np.array(orientation[3:], float)
    normal = np.cross(row, column)
    high_bit = bits_stored - 1 if high_bit is None else high_bit
    paths = []
    for index, image in enumerate(volume):
        number = instance_numbers[index] if instance_numbers else index + 1
        dataset = _dataset(MRImageStorage, series_uid)
        dataset.FrameOfReferenceUID = frame_of_reference
        dataset.InstanceNumber = number
        dataset.ImagePositionPatient = [float(x) for x in np.array(origin) + index * slice_spacing * normal]
        dataset.ImageOrientationPatient = [float(x) for x in orientation]
        dataset.PixelSpacing = list(pixel_spacing)
        _describe_pixels(dataset, image.shape, photometric, bits_allocated, bits_stored, high_bit, signed)
        for keyword, value in tags.items():
            if value is None:
                dataset.pop(keyword, None)
            else:
                setattr(dataset, keyword, value)
        _set_pixels(dataset, image[None], transfer_syntax, junk, quality)
        if each is not None:
            each(dataset, index)
        paths.append(folder / (names[index] if names else f"{number}.dcm"))
        save(dataset, paths[-1])
    return paths


def write_enhanced(
    path: Path,
    volume: np.ndarray,
    *,
    transfer_syntax: str = ExplicitVRLittleEndian,
    orientation: Sequence[float] = SAGITTAL,
    origin: Sequence[float] = (20.0, -80.0, 120.0),
    slice_spacing: float = 4.0,
    pixel_spacing: tuple[float, float] = (1.5, 1.25),
    frame_order: Sequence[int] | None = None,
    slopes: Sequence[float] | None = None,
    shared_orientation: bool = True,
) -> Path:
    """Write one Enhanced MR file whose frame j holds slice ``frame_order[j]`` of ``volume`` (D, H, W, 12 bits)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    normal = np.cross(orientation[:3], orientation[3:])
    order = list(frame_order) if frame_order is not None else list(range(len(volume)))
    dataset = _dataset(EnhancedMRImageStorage, generate_uid())
    dataset.InstanceNumber = 1
    dataset.NumberOfFrames = len(order)
    plane = _item("PlaneOrientationSequence", ImageOrientationPatient=[float(x) for x in orientation])
    shared = _item("PixelMeasuresSequence", PixelSpacing=list(pixel_spacing), SliceThickness=slice_spacing)
    if shared_orientation:
        shared.update(plane)
    dataset.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for position, index in enumerate(order):
        place = [float(x) for x in np.array(origin) + index * slice_spacing * normal]
        frame = _item("PlanePositionSequence", ImagePositionPatient=place)
        frame.update(_item("FrameContentSequence", FrameAcquisitionNumber=1, InStackPositionNumber=position + 1))
        if not shared_orientation:
            frame.update(plane)
        if slopes is not None:
            rescale = {"RescaleSlope": slopes[position], "RescaleIntercept": 0.0, "RescaleType": "US"}
            frame.update(_item("PixelValueTransformationSequence", **rescale))
        frames.append(frame)
    dataset.PerFrameFunctionalGroupsSequence = frames
    _describe_pixels(dataset, volume.shape[1:], "MONOCHROME2", 16, 12, 11, False)
    _set_pixels(dataset, volume[order], transfer_syntax, False, 0)
    save(dataset, path)
    return path


def save(dataset: Dataset, path: Path) -> None:
    """Write a data set made here as a part-10 file in its transfer syntax."""
    dataset.save_as(path, enforce_file_format=True)


def _item(sequence: str, **values) -> Dataset:
    inner, outer = Dataset(), Dataset()
    for keyword, value in values.items():
        setattr(inner, keyword, value)
    setattr(outer, sequence, [inner])
    return outer


def _dataset(sop_class: str, series_uid: str) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=[series_uid])
    dataset.SeriesInstanceUID = series_uid
    dataset.Modality = "MR"
    dataset.PatientName = "Secret^Person"
    dataset.PatientID = "SECRET-ID"
    dataset.PatientBirthDate = "19010203"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def _describe_pixels(
    dataset: Dataset, shape: tuple, photometric: str, allocated: int, stored: int, high: int, signed: bool
) -> None:
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = photometric
    dataset.Rows, dataset.Columns = shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = allocated, stored, high
    dataset.PixelRepresentation = int(signed)


def _set_pixels(dataset: Dataset, images: np.ndarray, transfer_syntax: str, junk: bool, quality: int) -> None:
    """``images`` (frames, H, W) into PixelData; HighBit and ``junk`` apply where the cells themselves are stored."""
    allocated, stored, high = dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit
    syntax = dataset.file_meta.TransferSyntaxUID = UID(transfer_syntax)
    shift, mask = high + 1 - stored, (1 << stored) - 1
    cells = (np.asarray(images, dtype=np.int64) & mask) << shift
    if junk:
        cells |= np.random.default_rng(1).integers(0, 1 << allocated, cells.shape) & ~(mask << shift)
    elif dataset.PixelRepresentation and shift == 0:
        cells = np.asarray(images, dtype=np.int64)  # two's complement fills the upper bits, as most writers do
    order = "<" if syntax.is_little_endian else ">"
    cells = cells.astype(f"{order}i{allocated // 8}", casting="unsafe")
    if not syntax.is_encapsulated:
        dataset.PixelData = cells.tobytes()
        dataset["PixelData"].VR = "OW" if allocated > 8 else "OB"
        return
    dataset.PixelData = cells.tobytes()
    dataset["PixelData"].VR = "OW"
    if syntax == RLELossless or syntax in JPEG2000TransferSyntaxes:
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        options = {} if syntax in (RLELossless, JPEG2000Lossless) else {"j2k_psnr": [80]}
        plugin = "pydicom" if syntax == RLELossless else "pylibjpeg"
        uid = dataset.SOPInstanceUID
        dataset.compress(syntax, encoding_plugin=plugin, generate_instance_uid=False, **options)
        assert uid == dataset.SOPInstanceUID
        return
    if syntax == JPEGExtended12Bit and stored == 12:
        dataset.PixelData = encapsulate([jpeg_extended_12bit(image) for image in images])
    else:
        _compress_with_gdcm(dataset, syntax, quality)
    dataset["PixelData"].VR = "OB"


def _compress_with_gdcm(dataset: Dataset, syntax: str, quality: int) -> None:
    """Replace uncompressed PixelData; GDCM's Python layer is only safe by way of files."""
    with tempfile.TemporaryDirectory() as folder:
        before, after = str(Path(folder) / "before"), str(Path(folder) / "after")
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        save(dataset, Path(before))
        reader = gdcm.ImageReader()
        reader.SetFileName(before)
        if not reader.Read():
            raise RuntimeError("GDCM cannot read the uncompressed image")
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
        codec = gdcm.JPEGLSCodec()
        if syntax == JPEGLSNearLossless:
            codec.SetLossless(False)
            codec.SetLossyError(quality)
            change.SetUserCodec(codec)
        change.SetInput(reader.GetImage())
        if not change.Change():
            raise RuntimeError(f"GDCM cannot encode {syntax}")
        writer = gdcm.ImageWriter()
        writer.SetFileName(after)
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        if not writer.Write():
            raise RuntimeError(f"GDCM cannot write {syntax}")
        dataset.PixelData = dcmread(after).PixelData
    dataset.file_meta.TransferSyntaxUID = syntax


def jpeg_extended_12bit(image: np.ndarray) -> bytes:
    """Sequential DCT JPEG of 12-bit precision (process 4) of an image that is constant in each block of 8 x 8 pixels.

    Only the mean of each block is coded (DC coefficient 8 * (mean - 2048), quantised by 8), so decoding is exact. The
    Huffman tables are the simplest allowed: 13 DC categories of 4 bits each, one AC symbol (end of block) of 1 bit.
    """
    height, width = image.shape
    if height % 8 or width % 8:
        raise ValueError("the sides must be multiples of 8")
    bits = []
    previous = 0
    for value in np.asarray(image)[::8, ::8].ravel():
        difference = int(value) - 2048 - previous
        previous += difference
        category = abs(difference).bit_length()
        bits.append(f"{category:04b}")
        if category:
            bits.append(f"{difference if difference > 0 else difference + (1 << category) - 1:0{category}b}")
        bits.append("0")
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    scan = int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")

    def segment(marker: int, body: bytes) -> bytes:
        return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body

    lengths_dc, lengths_ac = bytes([0, 0, 0, 13] + [0] * 12), bytes([1] + [0] * 15)
    return (
        b"\xff\xd8"
        + segment(0xDB, b"\0" + bytes([8]) * 64)
        + segment(0xC1, bytes([12]) + height.to_bytes(2, "big") + width.to_bytes(2, "big") + b"\1\1\x11\0")
        + segment(0xC4, b"\0" + lengths_dc + bytes(range(13)))
        + segment(0xC4, b"\x10" + lengths_ac + b"\0")
        + segment(0xDA, b"\1\1\0\0\x3f\0")
        + scan
        + b"\xff\xd9"
    )
