"""Headers out of the first bytes of a file, read in one go.

pydicom asks for the place in a file more than once an element, which is a call of the system for a file and none for bytes
in memory: a third of the time that a header takes.
"""

from __future__ import annotations

from io import BytesIO

from lstv.dicom.headers import Header, NotDicom, Readable, headers, read

SIZE = 32 << 10
"""Bytes; longer headers have the private elements of some makers, or the functional groups of many frames."""
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_PASSED = 15


class FirstBytes:
    """Reads one file after another, with the outcome that ``headers(read(stream))`` has.

    After one whose header is longer the next are read as they are: files in a row are often of one series.
    """

    def __init__(self) -> None:
        self._pass = 0

    def headers(self, stream: Readable) -> list[Header]:
        """As ``headers`` and ``read`` of ``lstv.dicom.headers``, with their errors."""
        if self._pass:
            self._pass -= 1
            return headers(read(stream))
        try:
            start = stream.read(SIZE)
            if _DEFLATED not in start[:1024]:  # what is unpacked of a part may look whole
                dataset = read(BytesIO(start))
                if dataset.has_pixel_data:  # so all that comes before it was there
                    return headers(dataset)
            self._pass = _PASSED
        except NotDicom:
            pass
        except Exception:  # cut off here, or bad in itself: the file tells
            self._pass = _PASSED
        stream.seek(0)
        return headers(read(stream))
