"""PyTorch's zip files read as data: tensors, numbers, text and containers, and nothing that could run.

``torch.load`` unpickles, and twice its restricted unpickler was found to be open (CVE-2025-32434 and CVE-2026-24747, closed
in PyTorch 2.10). Here the pickle inside the file is first held to the few opcodes that a state dict needs, then read by an
unpickler for which only ten storages, ``OrderedDict`` and ``torch._utils._rebuild_tensor_v2`` exist, the last two as
functions of this module. No PyTorch is needed.

The format: a zip of uncompressed entries below one folder, with ``data.pkl``, one ``data/<key>`` for each storage and
optionally ``byteorder`` (PyTorch's notes on serialization, "torch.save file format").
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import struct
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

_LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Signature, length of the name and length of the extra field (PKWARE APPNOTE 4.3.7)."""

LARGEST_PICKLE = 16 << 20
"""Bytes of ``data.pkl`` beyond which a file is refused; that of the point net has about 60 thousand."""

_BFLOAT16 = "bfloat16"
_STORAGES = {
    "FloatStorage": "f4",
    "DoubleStorage": "f8",
    "HalfStorage": "f2",
    "BFloat16Storage": _BFLOAT16,
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}

_OPCODES = frozenset(
    {"PROTO", "FRAME", "STOP", "MARK", "MEMOIZE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"}
    | {
        "NONE",
        "NEWTRUE",
        "NEWFALSE",
        "BININT",
        "BININT1",
        "BININT2",
        "LONG1",
        "BINFLOAT",
        "SHORT_BINUNICODE",
        "BINUNICODE",
    }
    | {"EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "APPEND", "APPENDS"}
    | {"EMPTY_DICT", "SETITEM", "SETITEMS", "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD", "BINPERSID"}
)


class NotTensorsError(Exception):
    """The file is a pickle with more in it than tensors; the text names what was found."""


class UnreadableError(Exception):
    """The file is not PyTorch's zip format, or it is damaged; the text says in what."""


@dataclass(frozen=True)
class _Storage:
    """One storage of the file: flat values, for bfloat16 already widened to float32."""

    values: npt.NDArray[Any]


def read(content: bytes) -> Any:
    """What was saved, each tensor as a NumPy array that shares the memory of its storage and must not be written to.

    Dictionaries, lists, tuples, numbers, text, booleans and None are themselves; attributes that were set on a dictionary
    are left out. bfloat16 becomes float32. Raises NotTensorsError or UnreadableError.
    """
    if content.startswith(b"\x80"):
        raise NotTensorsError("a bare pickle, which is the format of PyTorch before 1.6 or of another program")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            directory = archive.infolist()
        return _unpickled(_Entries(content, directory))
    except zipfile.BadZipFile as error:
        raise UnreadableError(str(error)) from error
    except (NotTensorsError, UnreadableError):
        raise
    except Exception as error:  # a mutilated pickle can fail anywhere in the reading of it
        raise UnreadableError(f"its content is inconsistent: {type(error).__name__}: {error}") from error


class _Entries:
    """The entries of the archive as parts of its own memory, each held to its checksum when it is asked for."""

    def __init__(self, content: bytes, directory: list[zipfile.ZipInfo]) -> None:
        self._content = memoryview(content)
        self._infos: dict[str, zipfile.ZipInfo] = {}
        pickles = [info.filename for info in directory if info.filename.rsplit("/", 1)[-1] == "data.pkl"]
        if len(pickles) != 1:
            raise UnreadableError(f"it has {len(pickles)} entries called data.pkl instead of one")
        root = pickles[0].removesuffix("data.pkl")
        for info in directory:
            if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
                raise UnreadableError(
                    f"its entry {info.filename} is compressed or encrypted, which PyTorch never writes"
                )
            name = info.filename.removeprefix(root)
            if name in self._infos:
                raise UnreadableError(f"its entry {info.filename} exists twice")
            self._infos[name] = info

    def read(self, name: str) -> memoryview:
        """Raises UnreadableError where there is no such entry, or not the bytes that its checksum is of."""
        if name not in self._infos:
            raise UnreadableError(f"its entry {name} is missing")
        info = self._infos[name]
        header = self._content[info.header_offset : info.header_offset + _LOCAL_HEADER.size]
        if len(header) < _LOCAL_HEADER.size:
            raise UnreadableError(f"its entry {name} lies beyond its end")
        signature, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        start = info.header_offset + _LOCAL_HEADER.size + name_length + extra_length
        values = self._content[start : start + info.file_size]
        if signature != b"PK\x03\x04" or len(values) != info.file_size or zlib.crc32(values) != info.CRC:
            raise UnreadableError(f"its entry {name} is damaged")
        return values

    def pickle(self) -> bytes:
        if self._infos["data.pkl"].file_size > LARGEST_PICKLE:
            raise UnreadableError(
                f"its pickle has {self._infos['data.pkl'].file_size} bytes, too many for a state dict"
            )
        return bytes(self.read("data.pkl"))

    @property
    def byte_order(self) -> Literal["<", ">"]:
        """``<`` or ``>``."""
        return ">" if "byteorder" in self._infos and bytes(self.read("byteorder")).strip() == b"big" else "<"


def _unpickled(entries: _Entries) -> Any:
    content = entries.pickle()
    try:
        for opcode, _, _ in pickletools.genops(content):
            if opcode.name not in _OPCODES:
                raise NotTensorsError(f"the pickle instruction {opcode.name}")
    except ValueError as error:
        raise UnreadableError(f"its pickle is damaged: {error}") from error
    return _Unpickler(entries, content).load()


# The implementation in Python: that in C sets aside as much memory as a crafted index into its memo asks for.
class _Unpickler(pickle._Unpickler):
    """Builds arrays from the storages of ``entries``; every other name than those of a state dict is refused."""

    def __init__(self, entries: _Entries, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8")
        self._entries = entries
        self._storages: dict[str, _Storage] = {}

    def load_build(self) -> None:
        """In place of __setstate__ or of setting attributes, such as the _metadata that PyTorch gives a state dict."""
        self.stack.pop()  # type: ignore[attr-defined]  # of the implementation in Python, not in its stubs

    dispatch = {**pickle._Unpickler.dispatch, pickle.BUILD[0]: load_build}  # type: ignore[dict-item]  # a subclass of it

    def find_class(self, module: str, name: str) -> str | Callable[..., Any]:
        if (module, name) == ("collections", "OrderedDict"):
            return _ordered
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise NotTensorsError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> _Storage:
        """``("storage", type, key, device, number of values)``."""
        kind, storage_type, key, _, count = pid
        if (
            kind != "storage"
            or storage_type not in _STORAGES.values()
            or not isinstance(key, str)
            or type(count) is not int
        ):
            raise UnreadableError("its pickle refers to something that is not a storage")
        if key not in self._storages:
            self._storages[key] = _Storage(self._values(key, storage_type))
        storage = self._storages[key]
        if count != storage.values.size:
            raise UnreadableError(f"its storage {key} has {storage.values.size} values where its pickle says {count}")
        return storage

    def _values(self, key: str, storage_type: str) -> npt.NDArray[Any]:
        content, order = self._entries.read(f"data/{key}"), self._entries.byte_order
        if storage_type == _BFLOAT16:  # the upper half of a float32
            return (np.frombuffer(content, f"{order}u2").astype(np.uint32) << 16).view(np.float32)
        return np.frombuffer(content, np.dtype(storage_type).newbyteorder(order))


def _ordered(*items: Any) -> dict[Any, Any]:
    return OrderedDict(*items)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> npt.NDArray[Any]:
    """Arguments as ``torch._utils._rebuild_tensor_v2`` takes them; offset and strides count values, not bytes.

    A view: one whose strides are 0 looks larger than its storage and takes no memory until its shape has been checked.
    """
    numbers = (offset, *shape, *strides)
    if not isinstance(storage, _Storage) or len(shape) != len(strides):
        raise UnreadableError(
            "its pickle has a tensor without a storage, or with a shape that does not fit its strides"
        )
    if any(type(number) is not int or number < 0 for number in numbers):
        raise UnreadableError("its pickle has a tensor whose shape is not made of whole numbers")
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides))
    if math.prod(shape) and last >= storage.values.size:
        raise UnreadableError(f"its pickle has a tensor of shape {tuple(shape)} that is larger than its storage")
    step = storage.values.itemsize
    return np.lib.stride_tricks.as_strided(
        storage.values[offset:], tuple(shape), tuple(stride * step for stride in strides), writeable=False
    )
