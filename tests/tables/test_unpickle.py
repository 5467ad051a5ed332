from __future__ import annotations

import io
import pickle  # noqa: TID251  the tests write the files that people download
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nasprof.tables._torch_file import load_torch_file
from nasprof.tables._unpickle import unpickle
from profiler.core.errors import InputError

PROTOCOLS = range(6)


class Hostile:
    """Would write a file if it were ever loaded."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (f"open({str(self.target)!r}, 'w').close()",)


def read(data: bytes) -> Any:
    return unpickle(io.BytesIO(data), "file.pkl")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_data_is_read_as_it_was_written(protocol: int) -> None:
    array = np.arange(6.0).reshape(2, 3)
    found = read(
        pickle.dumps(
            {
                "array": array,
                "fortran": np.asfortranarray(array),
                "big": np.arange(3, dtype=">i2"),
                "text": np.array(["ab", "c"]),
                "objects": np.array([1, "x", None], dtype=object),
                "scalars": [np.float32(1.5), np.int64(-3), np.bool_(True), 2**70, 0.1],
                "plain": (1, "é", b"\x00\xff", None, True, {1, 2}, frozenset({3}), 1 + 2j),
                "ordered": OrderedDict([("b", 1), ("a", 2)]),
                "key": {("cifar10", 777): "value"},
            },
            protocol=protocol,
        )
    )
    assert np.array_equal(found["array"], array)
    assert np.array_equal(found["fortran"], array)
    assert found["big"].tolist() == [0, 1, 2]
    assert found["text"].tolist() == ["ab", "c"]
    assert list(found["objects"]) == [1, "x", None]
    assert found["scalars"] == [1.5, -3, True, 2**70, 0.1]
    assert found["plain"] == (1, "é", b"\x00\xff", None, True, {1, 2}, frozenset({3}), 1 + 2j)
    assert list(found["ordered"]) == ["b", "a"]
    assert found["key"] == {("cifar10", 777): "value"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_class_is_refused_by_name_and_nothing_runs(protocol: int, tmp_path: Path) -> None:
    target = tmp_path / "ran"
    with pytest.raises(InputError, match=r"file\.pkl is refused: its pickle asks for .*\.exec"):
        read(pickle.dumps([1, {"x": Hostile(target)}], protocol=protocol))
    with pytest.raises(InputError, match=r"pathlib"):
        read(pickle.dumps(target, protocol=protocol))
    assert not target.exists()


def assembled(*parts: bytes) -> bytes:
    return b"\x80\x02" + b"".join(parts) + b"."


RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
NDARRAY = b"cnumpy\nndarray\n"


@pytest.mark.parametrize(
    "data",
    [
        # numpy's loader told to make an array of another class, or a large one.
        assembled(RECONSTRUCT, b"(cbuiltins\nset\n(K\x00tU\x01btR"),
        assembled(RECONSTRUCT, b"(", NDARRAY, b"(J\xff\xff\xff\x7ftU\x01btR"),
        # The stand-ins themselves given new attributes, called, or returned.
        assembled(RECONSTRUCT, b"}U\x08__call__K\x01sb"),
        assembled(NDARRAY, b"(K\x01tR"),
        assembled(NDARRAY),
        assembled(b"cbuiltins\nset\n"),
        # Structured types, whose flags numpy would believe.
        pickle.dumps(np.zeros(2, dtype=[("x", "O")])),
        # Encodings other than the one that protocol 2 writes.
        assembled(b"c_codecs\nencode\n(U\x03abcU\x03zipt R".replace(b" ", b"")),
        # Names that lead to a function through an admitted module.
        assembled(b"cnumpy.core.multiarray\n_reconstruct.__globals__\n"),
        pickle.dumps({"a": [1, 2, 3]})[:-4],
        b"",
        b"not a pickle",
    ],
)
def test_tricks_and_damage_are_one_error(data: bytes) -> None:
    with pytest.raises(InputError, match="pickle"):
        read(data)


def test_arrays_that_lie_about_their_size_are_refused() -> None:
    honest = pickle.dumps(np.arange(4.0), protocol=4)
    liar = honest.replace(b"K\x04\x85", b"K\x40\x85")
    assert liar != honest
    with pytest.raises(InputError, match="do not fit"):
        read(liar)


def test_containers_that_hold_themselves_or_nest_without_end_are_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InputError, match="holds itself"):
        read(pickle.dumps(endless))
    deep: list[Any] = []
    for _ in range(200):
        deep = [deep]
    with pytest.raises(InputError, match="deeply"):
        read(pickle.dumps(deep))


@pytest.mark.parametrize("zipped", [True, False])
def test_torch_files_of_both_formats_are_read_without_torch(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "x.pth"
    values = {
        "tensor": torch.arange(6.0).reshape(2, 3),
        "half": torch.arange(6.0)[3:],
        "numbers": [1.5, 2],
        "integers": torch.tensor([1, 2]),
    }
    torch.save(values, path, _use_new_zipfile_serialization=zipped)
    found = load_torch_file(path)
    assert found["tensor"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["half"].tolist() == [3, 4, 5]
    assert found["numbers"] == [1.5, 2]
    assert found["integers"].tolist() == [1, 2]


@pytest.mark.parametrize("zipped", [True, False])
def test_hostile_torch_files_run_nothing(tmp_path: Path, zipped: bool) -> None:
    path, target = tmp_path / "x.pth", tmp_path / "ran"
    torch.save([Hostile(target)], path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=r"x\.pth is refused.*\.exec"):
        load_torch_file(path)
    torch.save(torch.nn.Linear(2, 2), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=r"torch\.nn\.modules"):
        load_torch_file(path)
    assert not target.exists()


def test_files_that_are_not_of_torch_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    for content in (b"", b"hello", pickle.dumps([1])):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"x\.pth"):
            load_torch_file(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no model")
    with pytest.raises(InputError, match=r"no data\.pkl"):
        load_torch_file(path)
