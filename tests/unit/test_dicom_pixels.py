"""Every transfer syntax, decoder choice and pixel cell layout gives back the stored values."""

from __future__ import annotations

import gdcm
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from dicom_files import save, textured_volume, write_enhanced, write_series
from lstv.dicom import pixels as pixel_decoding
from lstv.dicom.pixels import PixelError, decode

NATIVE = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
LOSSLESS = [JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless]
EVERY_EXACT = [*NATIVE, RLELossless, *LOSSLESS]


def by_keyword(uid):
    return uid.keyword


def one(tmp_path, image, **options):
    """The data set of a file holding ``image``, read back."""
    (path,) = write_series(tmp_path, np.asarray(image)[None], **options)
    return dcmread(path)


@pytest.fixture
def image():
    return textured_volume((1, 32, 40))[0]


@pytest.mark.parametrize("syntax", EVERY_EXACT, ids=by_keyword)
@pytest.mark.parametrize(
    ("stored", "allocated", "signed"),
    [(8, 8, False), (8, 8, True), (10, 16, False), (12, 16, False), (12, 16, True), (16, 16, False), (16, 16, True)],
)
def test_lossless_syntaxes_give_every_value_back(tmp_path, image, syntax, stored, allocated, signed):
    values = (image << 4) >> (16 - stored)
    if signed:
        values = values - (1 << (stored - 1))
    dataset = one(tmp_path, values, transfer_syntax=syntax, bits_stored=stored, bits_allocated=allocated, signed=signed)
    pixels, decoder = decode(dataset)
    assert pixels.shape == (1, *image.shape)
    assert pixels.dtype == np.dtype(f"{'i' if signed else 'u'}{allocated // 8}")
    np.testing.assert_array_equal(pixels[0], values)
    assert decoder == {RLELossless: "pylibjpeg"}.get(
        syntax, "gdcm" if syntax.is_compressed and syntax not in NATIVE else "pydicom"
    )


@pytest.mark.parametrize(
    ("syntax", "stored", "error"),
    [
        (JPEGBaseline8Bit, 8, 3),
        (JPEGExtended12Bit, 8, 3),
        (JPEGLSNearLossless, 12, 2),
        (JPEG2000, 12, 4),
    ],
    ids=str,
)
def test_lossy_syntaxes_come_close(tmp_path, image, syntax, stored, error):
    values = image >> (12 - stored)
    dataset = one(
        tmp_path,
        values,
        transfer_syntax=syntax,
        bits_stored=stored,
        bits_allocated=8 if stored == 8 else 16,
        quality=error,
    )
    pixels, decoder = decode(dataset)
    assert decoder == "gdcm"
    assert abs(pixels[0].astype(int) - values).max() <= error


def test_twelve_bit_jpeg_extended_goes_to_pylibjpeg(tmp_path, image):
    blocks = np.kron(image[::8, ::8], np.ones((8, 8), dtype=np.int64))
    pixels, decoder = decode(one(tmp_path, blocks, transfer_syntax=JPEGExtended12Bit))
    assert decoder == "pylibjpeg"
    np.testing.assert_array_equal(pixels[0], blocks)


@pytest.mark.parametrize("syntax", LOSSLESS, ids=by_keyword)
@pytest.mark.parametrize("signed", [False, True])
def test_falls_back_to_pylibjpeg_where_gdcm_fails(tmp_path, monkeypatch, caplog, image, syntax, signed):
    values = image - 2048 if signed else image
    dataset = one(tmp_path, values, transfer_syntax=syntax, signed=signed)
    monkeypatch.setattr(gdcm.Image, "GetBuffer", lambda _: None)
    with pixel_decoding.quiet_pydicom():
        pixels, decoder = decode(dataset)
    assert decoder == "pylibjpeg"
    np.testing.assert_array_equal(pixels[0], values)
    assert not caplog.records


def test_rle_falls_back_to_pydicom(tmp_path, monkeypatch, image):
    dataset = one(tmp_path, image, transfer_syntax=RLELossless)
    monkeypatch.setattr(pixel_decoding, "DECODERS", ("gdcm", "pydicom"))
    pixels, decoder = decode(dataset)
    assert decoder == "pydicom"
    np.testing.assert_array_equal(pixels[0], image)


def test_the_error_names_the_decoders_that_were_tried(tmp_path, monkeypatch, image):
    dataset = one(tmp_path, image, transfer_syntax=JPEG2000Lossless)
    monkeypatch.setattr(pixel_decoding, "DECODERS", ("gdcm",))
    monkeypatch.setattr(gdcm.Image, "GetBuffer", lambda _: None)
    with pytest.raises(PixelError, match=r"JPEG 2000.* cannot be decoded by gdcm$"):
        decode(dataset)


@pytest.mark.parametrize("syntax", [*NATIVE, RLELossless], ids=by_keyword)
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("stored", "high"), [(12, 11), (12, 13), (12, 15), (10, 9), (15, 14), (15, 15)])
def test_unused_bits_are_removed_wherever_they_are(tmp_path, image, syntax, stored, high, signed):
    values = (image << 4) >> (16 - stored)
    values = values - (1 << (stored - 1)) if signed else values
    dataset = one(tmp_path, values, transfer_syntax=syntax, bits_stored=stored, high_bit=high, signed=signed, junk=True)
    np.testing.assert_array_equal(decode(dataset)[0][0], values)


@pytest.mark.parametrize("high", [None, 3, 16])
def test_an_impossible_high_bit_is_taken_for_the_usual_one(tmp_path, image, high):
    dataset = one(tmp_path, image)
    dataset.HighBit = high
    np.testing.assert_array_equal(decode(dataset)[0][0], image)


@pytest.mark.parametrize("plugin", ["gdcm", "pylibjpeg"])
@pytest.mark.parametrize("header_signed", [False, True])
def test_jpeg_2000_whose_sign_differs_from_the_header(tmp_path, monkeypatch, image, plugin, header_signed):
    values = image - 2048
    dataset = one(
        tmp_path, image if header_signed else values, transfer_syntax=JPEG2000Lossless, signed=not header_signed
    )
    dataset.PixelRepresentation = int(header_signed)
    monkeypatch.setattr(pixel_decoding, "DECODERS", (plugin,))
    pixels, _ = decode(dataset)
    # The header has the last word: the same 12 bits, read as it says.
    bits = (image if header_signed else values) & 0xFFF
    expected = np.where(bits >= 2048, bits - 4096, bits) if header_signed else bits
    np.testing.assert_array_equal(pixels[0], expected)


def test_big_endian_bytes_stored_as_words(tmp_path):
    image = textured_volume((1, 31, 33), top=255)[0]
    dataset = one(tmp_path, image, transfer_syntax=ExplicitVRBigEndian, bits_stored=8, bits_allocated=8)
    raw = dataset.PixelData + b"\0" * (len(dataset.PixelData) % 2)
    dataset.PixelData = np.frombuffer(raw, "u2").byteswap().tobytes()
    dataset["PixelData"].VR = "OW"
    save(dataset, tmp_path / "words")
    np.testing.assert_array_equal(decode(dcmread(tmp_path / "words"))[0][0], image)


@pytest.mark.parametrize("syntax", EVERY_EXACT, ids=by_keyword)
def test_every_frame_of_a_multi_frame_file(tmp_path, syntax):
    volume = textured_volume((4, 32, 40))
    pixels, _ = decode(dcmread(write_enhanced(tmp_path / "all", volume, transfer_syntax=syntax)))
    np.testing.assert_array_equal(pixels, volume)


@pytest.mark.parametrize("syntax", EVERY_EXACT, ids=by_keyword)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
def test_files_cut_short_are_refused(tmp_path, syntax, share):
    (path,) = write_series(tmp_path, textured_volume((1, 32, 40)), transfer_syntax=syntax)
    content = path.read_bytes()
    start = (
        0
        if syntax == DeflatedExplicitVRLittleEndian
        else content.rindex(b"\x7f\xe0\0\x10" if syntax == ExplicitVRBigEndian else b"\xe0\x7f\x10\0")
    )
    path.write_bytes(content[: start + int(share * (len(content) - start))])
    if syntax == DeflatedExplicitVRLittleEndian:
        with pytest.raises(Exception, match="decompress"):
            dcmread(path)
        return
    with pixel_decoding.quiet_pydicom(), pytest.raises(PixelError, match="cut short"):
        decode(dcmread(path))


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, *LOSSLESS, RLELossless], ids=by_keyword)
@pytest.mark.parametrize("damage", ["half", "without end", "zeros", "empty head"])
def test_damaged_codestreams_in_a_whole_file_are_refused(tmp_path, image, syntax, damage):
    bits = {"bits_stored": 8, "bits_allocated": 8} if syntax == JPEGBaseline8Bit else {}
    values = image >> 4 if bits else image
    dataset = one(tmp_path, values, transfer_syntax=syntax, **bits)
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    dataset.PixelData = encapsulate(
        [
            {
                "half": frame[: len(frame) // 4 * 2],
                "without end": frame[: -len(frame) // 20 * 2],
                "zeros": bytes(len(frame)),
                "empty head": bytes(30) + frame[30:],
            }[damage]
        ]
    )
    with pytest.raises(PixelError):
        decode(dataset)


def test_a_transfer_syntax_nobody_reads(tmp_path, image):
    dataset = one(tmp_path, image)
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"
    with pytest.raises(PixelError, match=r"no decoder reads its transfer syntax 1\.2\.840\.10008\.1\.2\.4\.100"):
        decode(dataset)
