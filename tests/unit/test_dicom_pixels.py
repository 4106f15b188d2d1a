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


# --- what the header declares against what is there ---------------------------------------------------------------------


def refused(dataset, match):
    with pytest.raises(PixelError, match=match):
        decode(dataset)


def test_more_pixel_data_than_declared(tmp_path, image):
    dataset = one(tmp_path, image)
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    refused(dataset, r"more pixel data than it says \(2560 bytes, its header declares 1 x 32 x 40 pixels of 8 bits\)")


@pytest.mark.parametrize("excess", [2, 16])
def test_a_little_padding_behind_the_pixels_does_no_harm(tmp_path, image, excess):
    dataset = one(tmp_path, image)
    dataset.PixelData += bytes(excess)
    np.testing.assert_array_equal(decode(dataset)[0][0], image)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless], ids=by_keyword)
def test_pixels_declared_beyond_all_measure_are_refused_before_decoding(tmp_path, monkeypatch, image, syntax):
    dataset = one(tmp_path, image, transfer_syntax=syntax)
    dataset.Rows = dataset.Columns = 30000
    monkeypatch.setattr(pixel_decoding, "_decoded", None)
    refused(dataset, "its header declares 1 x 30000 x 30000 pixels of 16 bits, 1.7 GiB|cut short")


def test_rle_that_cannot_hold_what_is_declared(tmp_path, monkeypatch, image):
    dataset = one(tmp_path, image, transfer_syntax=RLELossless)
    dataset.Rows = dataset.Columns = 2000
    monkeypatch.setattr(pixel_decoding, "_decoded", None)
    refused(dataset, "bytes of RLE")


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, JPEGLosslessSV1], ids=by_keyword)
def test_a_codestream_of_another_size_is_refused_before_decoding(tmp_path, monkeypatch, image, syntax):
    large = one(tmp_path, textured_volume((1, 96, 80))[0], transfer_syntax=syntax)
    dataset = one(tmp_path, image, transfer_syntax=syntax)
    dataset.PixelData = large.PixelData
    monkeypatch.setattr(pixel_decoding, "_decoded", None)
    refused(dataset, "its compressed image has 96 x 80 pixels, its header declares 1 x 32 x 40")


def test_compressed_data_labelled_uncompressed(tmp_path, image):
    dataset = one(tmp_path, image, transfer_syntax=JPEG2000Lossless)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    refused(dataset, "says uncompressed, but its pixel data is compressed|cut short")


@pytest.mark.parametrize(
    ("keyword", "value", "said"),
    [
        ("BitsStored", None, "its BitsStored is missing"),
        ("BitsStored", 17, "its BitsStored is 17 and its BitsAllocated 16"),
        ("PixelRepresentation", None, "its PixelRepresentation is missing"),
        ("PixelRepresentation", 7, "its PixelRepresentation is 7"),
    ],
)
def test_a_missing_description_is_named(tmp_path, image, keyword, value, said):
    dataset = one(tmp_path, image)
    if value is None:
        delattr(dataset, keyword)
    else:
        setattr(dataset, keyword, value)
    refused(dataset, said)


@pytest.mark.parametrize(
    ("keyword", "value", "said"),
    [
        (
            "PhotometricInterpretation",
            "MUELLER",
            "its PhotometricInterpretation is neither MONOCHROME1 nor MONOCHROME2",
        ),
        ("SamplesPerPixel", 0, "its SamplesPerPixel is 0, not 1"),
    ],
)
def test_an_element_that_is_wrong_is_named_but_its_text_is_not_repeated(tmp_path, image, keyword, value, said):
    dataset = one(tmp_path, image)
    setattr(dataset, keyword, value)
    with pytest.raises(PixelError, match=said) as raised:
        decode(dataset)
    assert "MUELLER" not in str(raised.value)


@pytest.mark.parametrize("keyword", ["PhotometricInterpretation", "SamplesPerPixel"])
def test_what_can_only_be_one_thing_need_not_be_said(tmp_path, image, keyword):
    dataset = one(tmp_path, image)
    delattr(dataset, keyword)
    np.testing.assert_array_equal(decode(dataset)[0][0], image)


class _Panic(BaseException):
    """A panic in Rust comes as a BaseException (pyo3)."""


def test_a_panic_of_a_decoder_is_an_error_of_one_file(tmp_path, monkeypatch, image):
    def panic(*_, **__):
        raise _Panic("index out of range")

    dataset = one(tmp_path, image, transfer_syntax=RLELossless)
    monkeypatch.setattr(pixel_decoding.Decoder, "as_array", panic)
    refused(dataset, "cannot be decoded by")


def test_altered_rle_is_read_or_refused(tmp_path, image, capfd):
    """Single flipped bits; some make the decoder panic, which also prints to the terminal."""
    dataset = one(tmp_path, image, transfer_syntax=RLELossless)
    content, draw = bytes(dataset.PixelData), np.random.default_rng(1)
    outcomes = set()
    for _ in range(300):
        altered = bytearray(content)
        altered[draw.integers(len(altered))] ^= 1 << draw.integers(8)
        dataset.PixelData = bytes(altered)
        try:
            decode(dataset)
            outcomes.add("read")
        except PixelError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("stored", "signed", "value", "limit", "expected"),
    [
        (16, True, -32768, None, (-32768, -32768)),
        (16, False, 65535, None, (65535, 65535)),
        (16, False, 65535, 65530, (65530, 65535)),
        (12, True, -2048, None, (-2048, -2048)),
        (16, False, None, None, None),
    ],
)
def test_padding(tmp_path, image, stored, signed, value, limit, expected):
    dataset = one(tmp_path, image // 16, bits_stored=stored, signed=signed)
    if value is not None:
        dataset.PixelPaddingValue = value
    if limit is not None:
        dataset.PixelPaddingRangeLimit = limit
    assert pixel_decoding.padding(dataset) == expected
