from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from exporters import cache


def staged(folder: Path, number: float) -> Path:
    """A finished folder with a small model that holds a number."""
    place = folder / f".nasprof-{number}"
    place.mkdir(parents=True)
    weight = onnx.numpy_helper.from_array(np.full(2, number, np.float32), "w")
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [value("x", TensorProto.FLOAT, [2])],
        [value("y", TensorProto.FLOAT, [2])],
        [weight],
    )
    onnx.save(helper.make_model(graph, ir_version=8), place / cache.MODEL)
    return place


def test_what_was_added_is_found_with_its_facts(tmp_path: Path) -> None:
    assert cache.find(tmp_path, "key") is None
    added = cache.add(tmp_path, "key", staged(tmp_path, 1), {"steps": ["a"]})
    assert cache.find(tmp_path, "key") == added
    assert added.facts == {"steps": ["a"]}


@pytest.mark.parametrize("part", [cache.MODEL, "entry.json"])
@pytest.mark.parametrize("damage", [b"", b"{}", None])
def test_damaged_entries_are_removed(tmp_path: Path, part: str, damage: bytes | None) -> None:
    entry = cache.add(tmp_path, "key", staged(tmp_path, 1), {})
    file = entry.path.with_name(part)
    if damage is None:
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    else:
        file.write_bytes(damage)
    assert cache.find(tmp_path, "key") is None
    assert not entry.path.parent.exists()
    again = cache.add(tmp_path, "key", staged(tmp_path, 1), {})
    assert cache.find(tmp_path, "key") == again


def test_the_first_of_two_writers_wins_and_nothing_is_left_over(tmp_path: Path) -> None:
    first = cache.add(tmp_path, "key", staged(tmp_path, 1), {})
    second = cache.add(tmp_path, "key", staged(tmp_path, 2), {})
    assert second == first


def test_a_damaged_entry_in_the_way_is_replaced(tmp_path: Path) -> None:
    entry = cache.add(tmp_path, "key", staged(tmp_path, 1), {})
    entry.path.write_bytes(b"damaged")
    added = cache.add(tmp_path, "key", staged(tmp_path, 2), {})
    assert cache.find(tmp_path, "key") == added
    assert added.sha256 != entry.sha256


def test_without_a_key_the_content_is_the_key(tmp_path: Path) -> None:
    entry = cache.add(tmp_path, None, staged(tmp_path, 1), {})
    assert entry.path.parent.name == entry.sha256


def test_the_longest_unused_goes_when_the_cache_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, older = (cache.add(tmp_path, k, staged(tmp_path, n), {}) for n, k in ((1, "a"), (2, "b")))
    os.utime(old.path.with_name("entry.json"), (2e9, 2e9))
    os.utime(older.path.with_name("entry.json"), (1e9, 1e9))
    abandoned = staged(tmp_path, 9)
    os.utime(abandoned, (1e9, 1e9))
    new = staged(tmp_path, 3)
    entry_bytes = sum(file.stat().st_size for file in old.path.parent.iterdir())
    monkeypatch.setattr(cache, "_LIMIT_BYTES", 2 * entry_bytes + entry_bytes // 2)
    cache.add(tmp_path, "c", new, {})
    left = {place.name for place in tmp_path.iterdir()}
    assert "c" in left
    assert "b" not in left
    assert abandoned.name not in left
