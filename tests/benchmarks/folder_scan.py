"""How fast a folder is scanned: headers a second, and what pydicom and GDCM take for the same headers.

Writes N small MR files (real headers of about 100 elements with nested sequences and private elements, hardly any pixels)
below $TMPDIR, scans them, and removes them. Numbers are for a warm disk cache: the files have just been written.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))

from lstv.dicom.headers import SHARED, headers, read  # noqa: E402
from lstv.dicom.pixels import quiet_pydicom  # noqa: E402
from lstv.folder.scan import scan  # noqa: E402
from lstv.folder.series import build_studies  # noqa: E402

SLICES, SERIES = 20, 8
_STUDY, _SERIES, _INSTANCE, _X = "1.2.840.99999.700001", "1.2.840.99999.800001", "1.2.840.99999.900000001", "-00012.5"


def template() -> bytes:
    """One file whose ids and position are replaced byte by byte."""
    dataset = Dataset()
    for keyword, value in {
        "SpecificCharacterSet": "ISO_IR 100", "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"], "StudyDate": "20200101",
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "SOPInstanceUID": _INSTANCE, "SeriesDate": "20200101",
        "AcquisitionDate": "20200101", "ContentDate": "20200101", "StudyTime": "101010.123", "SeriesTime": "101011.5",
        "AcquisitionTime": "101012.5", "ContentTime": "101013.5", "Modality": "MR", "Manufacturer": "MAKER",
        "InstitutionName": "HOSPITAL", "StudyDescription": "MRI Lumbar Spine", "SeriesDescription": "t2_tse_sag",
        "ManufacturerModelName": "SCANNER", "PatientName": "A^B", "PatientID": "1234", "PatientBirthDate": "19500101",
        "PatientSex": "F", "PatientAge": "070Y", "PatientWeight": 70, "BodyPartExamined": "LSPINE", "ScanningSequence": "SE",
        "SequenceVariant": ["SK", "SP", "OSP"], "ScanOptions": "SAT1", "MRAcquisitionType": "2D", "SliceThickness": 4,
        "SequenceName": "*tse2d1_19", "AngioFlag": "N", "RepetitionTime": 3500, "EchoTime": 110, "NumberOfAverages": 2,
        "ImagingFrequency": 63.6, "ImagedNucleus": "1H", "EchoNumbers": 1, "MagneticFieldStrength": 1.5,
        "SpacingBetweenSlices": 4.4, "NumberOfPhaseEncodingSteps": 300, "EchoTrainLength": 19, "PercentSampling": 80,
        "PercentPhaseFieldOfView": 100, "PixelBandwidth": 180, "DeviceSerialNumber": "4", "SoftwareVersions": "V1",
        "ProtocolName": "t2_tse_sag", "TransmitCoilName": "Body", "AcquisitionMatrix": [0, 384, 300, 0],
        "InPlanePhaseEncodingDirection": "ROW", "FlipAngle": 150, "VariableFlipAngleFlag": "N", "SAR": 1, "dBdt": 0,
        "PatientPosition": "HFS", "StudyInstanceUID": _STUDY, "SeriesInstanceUID": _SERIES, "StudyID": "1",
        "SeriesNumber": 3, "AcquisitionNumber": 1, "InstanceNumber": 1,
        "ImagePositionPatient": [_X, "-140.25", "150.125"], "ImageOrientationPatient": [0, 1, 0, 0, 0, -1],
        "FrameOfReferenceUID": "1.2.3.9", "SliceLocation": 1, "SamplesPerPixel": 1, "Rows": 384, "Columns": 384,
        "PhotometricInterpretation": "MONOCHROME2", "PixelSpacing": [0.73, 0.73], "BitsAllocated": 16, "BitsStored": 12,
        "HighBit": 11, "PixelRepresentation": 0, "WindowCenter": 300, "WindowWidth": 600,
        "RequestedProcedureDescription": "MRI", "PixelData": b"\0" * 512,
    }.items():  # fmt: skip
        setattr(dataset, keyword, value)
    for keyword, count in (("ReferencedStudySequence", 1), ("ReferencedImageSequence", 4), ("SourceImageSequence", 2)):
        setattr(dataset, keyword, DicomSequence([_reference(number) for number in range(count)]))
        dataset[keyword].is_undefined_length = True
    for group, elements in ((0x0019, range(0x08, 0x18)), (0x0051, range(0x08, 0x18))):
        block = dataset.private_block(group, "MAKER", create=True)
        for element in elements:
            block.add_new(element, "DS", "1.0")
    dataset.private_block(0x0029, "MAKER CSA", create=True).add_new(0x10, "OB", b"\1" * 2048)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _reference(number: int) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    item.ReferencedSOPInstanceUID = f"1.2.840.99999.5.{number}"
    item.is_undefined_length_sequence_item = True
    return item


def write_files(root: Path, count: int) -> None:
    """Write ``count`` files, 20 to a series and 8 series to a study, one folder a series."""
    content = template()
    for number in range(count):
        series = number // SLICES
        study = series // SERIES
        folder = root / f"{study:05d}" / f"{series:06d}"
        if number % SLICES == 0:
            folder.mkdir(parents=True)
        own = content.replace(_INSTANCE.encode(), f"1.2.840.99999.9{number:08d}".encode())
        own = own.replace(_SERIES.encode(), f"1.2.840.99999.8{series:05d}".encode())
        own = own.replace(_STUDY.encode(), f"1.2.840.99999.7{study:05d}".encode())
        own = own.replace(_X.encode(), f"-{number % SLICES:05d}.5".encode())
        (folder / f"{number:08X}").write_bytes(own)


def _per_file(paths: Sequence[Path], read: Callable[[Path], object]) -> float:
    """Microseconds of CPU a file, best of three."""
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        for path in paths:
            read(path)
        best = min(best, time.process_time() - start)
    return round(best / len(paths) * 1e6, 1)


def _by_reader(path: Path) -> object:
    with open(path, "rb") as file:
        return headers(read(file))


def _by_pydicom(path: Path, tags: list[Tag]) -> object:
    dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=tags)
    return [dataset.get_item(tag) for tag in tags if tag in dataset]


def _by_reader_quietly(paths: Sequence[Path]) -> float:
    with quiet_pydicom():
        return _per_file(paths, _by_reader)


def _by_gdcm(paths: Sequence[Path]) -> float | None:
    try:
        import gdcm
    except ImportError:
        return None
    scanner = gdcm.Scanner()
    for tag in SHARED:
        scanner.AddTag(gdcm.Tag(tag >> 16, tag & 0xFFFF))
    start = time.process_time()
    scanner.Scan([str(path) for path in paths])
    return round((time.process_time() - start) / len(paths) * 1e6, 1)


def _program(root: Path, jobs: int) -> dict[str, float]:
    """Seconds and CPU seconds of scan_folder.py from its start to its end, with sheet, both tables and a list of files for
    each chosen series."""
    with tempfile.TemporaryDirectory(prefix="folder_scan_out_") as out:
        command = [sys.executable, SCRIPTS / "scan_folder.py", "--folder", root, "--key", f"{out}/key", "--jobs", jobs]
        outputs = ["--out", "r/a.csv", "--all-series", "r/b.csv", "--summary", "r/c.json", "--series-lists", "lists"]
        start, before = time.perf_counter(), _cpu_of_children()
        subprocess.run([*map(str, command), *outputs], cwd=out, check=True, stdout=subprocess.DEVNULL)
        return {"seconds": round(time.perf_counter() - start, 2), "cpu_seconds": round(_cpu_of_children() - before, 2)}


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    record: dict[str, object] = {"files": args.files, "cores": os.cpu_count(), "load": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory(prefix="folder_scan_") as name:
        root = Path(name)
        write_files(root, args.files)
        some = sorted(path for path in root.rglob("*") if path.is_file())[:1000]
        tags = [Tag(tag) for tag in SHARED]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            record["us_of_cpu_per_header"] = {
                "the reader": _by_reader_quietly(some),
                "pydicom, specific_tags": _per_file(some, partial(_by_pydicom, tags=tags)),
                "gdcm.Scanner": _by_gdcm(some),
            }
        for jobs in args.jobs:
            start = time.perf_counter()
            found = scan(root, jobs=jobs)
            read = time.perf_counter()
            studies = build_studies(found.found)
            end = time.perf_counter()
            expected = -(-args.files // (SLICES * SERIES))
            if len(studies) != expected:
                raise AssertionError(f"{len(studies)} studies found, {expected} written")
            record[f"jobs {jobs}"] = {
                "seconds": round(end - start, 2),
                "of which sorting into series": round(end - read, 2),
                "files_per_second": round(args.files / (end - start)),
            }
            record[f"jobs {jobs}"]["the whole program"] = _program(root, jobs)
    print(json.dumps(record, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
