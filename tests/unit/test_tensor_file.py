"""PyTorch's files read as data: the same bits as PyTorch reads, and nothing that runs or takes memory beyond the file."""

from __future__ import annotations

import contextlib
import io
import pickle
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from lstv.localizer import architecture, tensor_file
from lstv.localizer.architecture import PUBLISHED, Widths
from lstv.localizer.network import LocalizerUNet
from lstv.localizer.tensor_file import NotTensorsError, UnreadableError, read

SCRIPTS = Path(__file__).parents[2] / "scripts"


def saved(value) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


def entries_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return stream.getvalue()


def with_pickle(instructions: bytes, data: bytes = bytes(16)) -> bytes:
    """A file whose pickle is the given instructions, with one storage ``0`` of 16 bytes."""
    return zipped({"a/data.pkl": instructions, "a/data/0": data})


# --- the same bits ----------------------------------------------------------------------------------------------------

TYPES = (torch.float32, torch.float64, torch.float16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


@pytest.mark.parametrize("dtype", [*TYPES, torch.bool], ids=str)
def test_every_type_has_the_bits_that_torch_reads(dtype):
    value = (torch.randn(3, 5, 2) * 50).to(dtype)
    found = read(saved({"x": value}))["x"]
    assert found.dtype == value.numpy().dtype and found.tobytes() == value.numpy().tobytes()


def test_bfloat16_becomes_the_same_float32():
    value = torch.randn(7, 3).bfloat16()
    np.testing.assert_array_equal(read(saved(value)), value.float().numpy())


def test_views_strides_and_shared_storages():
    base = torch.arange(24.0).reshape(4, 6)
    value = {"base": base, "transposed": base.T, "part": base[1:3, ::2], "scalar": torch.tensor(3.5), "none": base[:0]}
    found = read(saved(value))
    for name, tensor in value.items():
        np.testing.assert_array_equal(found[name], tensor.numpy())
        assert found[name].shape == tuple(tensor.shape)
    assert np.shares_memory(found["base"], found["transposed"])


def test_what_stands_beside_the_tensors_is_itself():
    value = {"state_dict": OrderedDict(a=torch.ones(2)), "epoch": 12, "loss": 0.25, "words": ["a", ("b", None, True)]}
    found = read(saved(value))
    assert list(found) == list(value) and {**found, "state_dict": 0} == {**value, "state_dict": 0}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_other_protocols_of_pickle(protocol):
    stream = io.BytesIO()
    torch.save({"x": torch.ones(3), "word": "ä"}, stream, pickle_protocol=protocol)
    found = read(stream.getvalue())
    np.testing.assert_array_equal(found["x"], np.ones(3, np.float32))
    assert found["word"] == "ä"


def test_attributes_of_a_state_dict_are_left_out():
    state = LocalizerUNet(Widths((4, 4, 8), (4, 8, 12, 16), (16, 12, 8, 8, 8))).state_dict()
    assert state._metadata
    found = read(saved(state))
    assert list(found) == list(state) and not getattr(found, "_metadata", None)


def test_the_other_byte_order():
    content = entries_of(saved({"x": torch.arange(6, dtype=torch.int32)}))
    name = next(name for name in content if name.endswith("data/0"))
    content[name] = np.arange(6, dtype=">i4").tobytes()
    content[name.replace("data/0", "byteorder")] = b"big"
    np.testing.assert_array_equal(read(zipped(content))["x"], np.arange(6))


@pytest.mark.parametrize("widths", [PUBLISHED, Widths((4, 4, 8), (4, 8, 12, 16), (16, 12, 8, 8, 8))])
def test_entries_are_those_of_the_network(widths):
    with torch.device("meta"):
        state = LocalizerUNet(widths).state_dict()
    assert [(name, tuple(tensor.shape)) for name, tensor in state.items()] == list(architecture.entries(widths).items())


def test_a_checkpoint_is_looked_at_without_torch():
    demo = SCRIPTS.parent / "resources/demo/pointnet_demo.pth"
    code = (
        "import sys; from pathlib import Path; from lstv.localizer.checkpoint import read_checkpoint\n"
        "assert read_checkpoint(Path(sys.argv[1])).demo and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(demo)], cwd=SCRIPTS, check=True)


# --- nothing runs -----------------------------------------------------------------------------------------------------

TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n"
STORAGE = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x04tQ"


def tensor(offset: bytes = b"K\0", shape: bytes = b"(K\x04t", strides: bytes = b"(K\x01t") -> bytes:
    return b"\x80\x02" + TENSOR + b"(" + STORAGE + offset + shape + strides + b"\x89)tR."


def test_the_instructions_of_these_tests_are_a_tensor():
    np.testing.assert_array_equal(read(with_pickle(tensor())), np.zeros(4, np.float32))


class _Attack:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


def global_(name: str) -> bytes:
    module, _, function = name.rpartition(".")
    return f"c{module}\n{function}\n".encode()


@pytest.mark.parametrize(
    "name",
    [
        "os.system", "posix.system", "builtins.eval", "builtins.getattr", "builtins.print", "subprocess.Popen",
        "torch.load", "torch.hub.load", "torch._utils._rebuild_parameter", "torch.storage._load_from_bytes",
        "collections.Counter", "torch.FloatStorage.from_file", "torch._utils._rebuild_tensor_v2.__globals__",
        "numpy.load", "torch.nn.modules.linear.Linear", "torch.OrderedDict", "collections.FloatStorage",
    ],
)  # fmt: skip
@pytest.mark.fault("a pickle that names anything but tensors", "refused, the name is told")
def test_any_other_name_is_refused_and_told(name):
    with pytest.raises(NotTensorsError, match=name.replace(".", r"\.")):
        read(with_pickle(b"\x80\x02" + global_(name) + b"."))


@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
def test_code_does_not_run(tmp_path, protocol):
    import os

    target = tmp_path / "was_here"
    with pytest.raises(NotTensorsError):
        read(with_pickle(pickle.dumps({"x": _Attack(os.mkdir, str(target))}, protocol)))
    assert not target.exists()


@pytest.mark.parametrize(
    "instructions",
    [
        b"\x80\x02(cos\nsystem\nX\x02\0\0\0idi.",
        b"\x80\x02(i" + b"os\nsystem\n.",
        b"\x80\x02(cos\nsystem\nX\x02\0\0\0ido.",
        b"\x80\x02\x82\x01.",  # an extension of the registry
        b"\x80\x02ccollections\nOrderedDict\n)\x81.",  # NEWOBJ
        b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.",  # a byte array of 8 exabytes
    ],
)
def test_instructions_that_no_state_dict_needs(instructions):
    with pytest.raises((NotTensorsError, UnreadableError)):
        read(with_pickle(instructions))


def test_attributes_replace_no_method():
    """BUILD would set them on the dictionary, whose own items() then were something else."""
    made = b"ccollections\nOrderedDict\n)RX\x01\0\0\0aK\x01s"
    state = b"}X\x05\0\0\0itemsX\x02\0\0\0nos"
    found = read(with_pickle(b"\x80\x02" + made + state + b"b."))
    assert list(found.items()) == [("a", 1)]


def test_a_call_with_other_arguments_stays_a_dictionary():
    found = read(with_pickle(b"\x80\x02ccollections\nOrderedDict\n(((X\x01\0\0\0aK\x01tttR."))
    assert found == {"a": 1}


# --- no memory beyond the file ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "instructions",
    [
        tensor(shape=b"(K\x05t"),
        tensor(shape=b"(K\x02t", strides=b"(K\x04t"),
        tensor(offset=b"K\x04", shape=b"(K\x01t"),
        tensor(offset=b"J\xff\xff\xff\xff"),
        tensor(shape=b"(J\xff\xff\xff\xfft"),
        tensor(strides=b"(J\xff\xff\xff\xfft"),
        tensor(shape=b"(K\x02K\x02t"),
        tensor(shape=b"(G@\x10\0\0\0\0\0\0t"),
        tensor(offset=b"\x88"),  # True
    ],
)
def test_a_tensor_lies_in_its_storage(instructions):
    with pytest.raises(UnreadableError, match="tensor"):
        read(with_pickle(instructions))


@pytest.mark.parametrize("side", [b"\xff\xff\x0f\x00", b"\xff\xff\xff\x7f"])
def test_strides_of_zero_take_no_memory(side):
    """One value seen as a million times a million, which numpy can address, and as more than it can."""
    import tracemalloc

    tracemalloc.start()
    with contextlib.suppress(UnreadableError):
        assert read(with_pickle(tensor(shape=b"(J" + side + b"J" + side + b"t", strides=b"(K\0K\0t"))).strides == (0, 0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


def test_an_expanded_tensor_is_read():
    np.testing.assert_array_equal(read(saved({"x": torch.tensor(2.5).expand(3, 4)}))["x"], np.full((3, 4), 2.5))


def test_a_storage_has_the_values_that_are_said():
    with pytest.raises(UnreadableError, match="has 4 values where its pickle says 5"):
        read(with_pickle(b"\x80\x02" + STORAGE.replace(b"K\x04", b"K\x05") + b"."))


@pytest.mark.parametrize("index", [1 << 20, (1 << 32) - 1])
def test_an_index_into_the_memo_takes_no_memory(index):
    import tracemalloc

    tracemalloc.start()
    found = read(with_pickle(b"\x80\x02K\x07r" + struct.pack("<I", index) + b"."))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == 7 and peak < 1 << 20


def test_a_compressed_entry_is_refused():
    with pytest.raises(UnreadableError, match="compressed"):
        read(zipped({"a/data.pkl": tensor(), "a/data/0": bytes(1 << 24)}, zipfile.ZIP_DEFLATED))


def test_a_pickle_of_unlikely_size_is_refused(monkeypatch):
    monkeypatch.setattr(tensor_file, "LARGEST_PICKLE", 100)
    with pytest.raises(UnreadableError, match="too many"):
        read(with_pickle(b"\x80\x02" + b"K\x01" * 100 + b"."))


# --- damage -----------------------------------------------------------------------------------------------------------


@pytest.mark.fault("a changed byte in the weights", "noticed by its checksum")
def test_a_changed_byte_of_a_storage_is_noticed():
    content = bytearray(saved({"x": torch.ones(1000)}))
    content[content.index(np.ones(4, np.float32).tobytes()) + 2] ^= 1
    with pytest.raises(UnreadableError, match="data/0 is damaged"):
        read(bytes(content))


@pytest.mark.parametrize("names", [(), ("a/data.pkl", "b/data.pkl")])
def test_there_is_one_pickle(names):
    with pytest.raises(UnreadableError, match="called data.pkl"):
        read(zipped({"a/other": b"", **dict.fromkeys(names, tensor())}))


def test_a_missing_storage_is_named():
    with pytest.raises(UnreadableError, match="data/0 is missing"):
        read(zipped({"a/data.pkl": tensor()}))


def outcome(content: bytes) -> str:
    try:
        read(content)
    except (NotTensorsError, UnreadableError) as error:
        return type(error).__name__
    return "read"


def mutants(content: bytes, count: int):
    """The content cut, or with up to three bytes changed; the same ones each time."""
    random = np.random.default_rng(5)
    for number in range(count):
        mutant = bytearray(content)
        if number % 3 == 0:
            yield bytes(mutant[: random.integers(len(mutant))])
            continue
        for position in random.integers(len(mutant), size=random.integers(1, 4)):
            mutant[position] = random.integers(256)
        yield bytes(mutant)


def test_a_damaged_file_ends_in_one_kind_of_error():
    content = saved({"state_dict": OrderedDict(a=torch.arange(50.0)), "epoch": 3})
    assert {outcome(mutant) for mutant in mutants(content, 600)} <= {"read", "UnreadableError"}


def test_a_pickle_made_to_fit_its_checksum_ends_in_two_kinds():
    content = entries_of(saved({"state_dict": OrderedDict(a=torch.arange(50.0)), "epoch": 3}))
    name = next(name for name in content if name.endswith("data.pkl"))
    found = {outcome(zipped({**content, name: mutant})) for mutant in mutants(content[name], 900)}
    assert found == {"read", "NotTensorsError", "UnreadableError"}


@pytest.mark.parametrize(
    "content", [b"", b"PK", bytes(1000), b"PK\x03\x04 not a zip", b"\x89HDF\r\n\x1a\n" + bytes(500)]
)
def test_other_bytes(content):
    with pytest.raises(UnreadableError):
        read(content)


def test_a_bare_pickle_is_refused_by_name():
    with pytest.raises(NotTensorsError, match="before 1.6"):
        read(pickle.dumps({"a": 1}))
