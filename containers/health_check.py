#!/usr/bin/env python
"""Whether this image can do its work: the libraries load and each decoder reads back a compressed image.

Prints the versions found and ends with 0, or says what is wrong and ends with 1.
"""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version

PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "pandas",
    "pydicom",
    "python-gdcm",
    "pylibjpeg",
    "h5py",
    "opencv-python-headless",
    "kagglesdk",
)
DECODERS = ("gdcm", "pylibjpeg")


def compressed_image():
    """A lossless JPEG 2000 data set as MR scanners write it (16 bit, 12 used), and the pixels that went in."""
    import numpy as np
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, MRImageStorage, generate_uid

    rows, columns = np.mgrid[0:64, 0:48]
    pixels = ((rows * 61 + columns * 17) % 4096).astype(np.uint16)
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = MRImageStorage
    image.SOPInstanceUID = generate_uid()
    image.Rows, image.Columns = pixels.shape
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.PixelRepresentation = 0
    image.PixelData = pixels.tobytes()
    image.compress(JPEG2000Lossless, generate_instance_uid=False)
    return image, pixels


def check_decoders() -> None:
    """Raises RuntimeError where a decoder does not give back the pixels that went in."""
    import numpy as np
    from pydicom.pixels import pixel_array

    image, pixels = compressed_image()
    for decoder in DECODERS:
        if not np.array_equal(pixel_array(image, decoding_plugin=decoder), pixels):
            raise RuntimeError(f"{decoder} decoded a lossless JPEG 2000 image to other pixels")


def check_torch() -> str:
    """One convolution on the CPU, data from NumPy and back; the line that says what devices this torch serves."""
    import numpy as np
    import torch

    ones = torch.from_numpy(np.ones((1, 1, 4, 4), dtype=np.float32))
    total = float(torch.nn.functional.conv2d(ones, torch.ones(1, 1, 2, 2)).numpy().sum())
    if total != 36.0:
        raise RuntimeError(f"torch computed {total} instead of 36")
    build = f"torch built for CUDA {torch.version.cuda}" if torch.version.cuda else "torch built for CPUs"
    if not torch.cuda.is_available():
        return f"no GPU seen, {build}"
    major, minor = torch.cuda.get_device_capability()
    built_for = " ".join(torch.cuda.get_arch_list())
    return f"{torch.cuda.get_device_name()}, compute capability {major}.{minor}, {build} ({built_for})"


def main(argv: list[str] | None = None) -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args(argv)
    try:
        import gdcm  # noqa: F401 - an image without it must fail here, not in a job
        import pylibjpeg  # noqa: F401

        versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
        device = check_torch()
        check_decoders()
    except Exception as error:  # whatever it is, the image is not fit for use, and one line says why
        print(f"This image is not fit for use: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(f"Python {sys.version.split()[0]}, {versions}")
    print(f"Device: {device}")
    print(f"Decoders that read back a JPEG 2000 image: {', '.join(DECODERS)}")
    print("healthy")
    return 0


if __name__ == "__main__":
    sys.exit(main())
