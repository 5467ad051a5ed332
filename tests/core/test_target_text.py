from __future__ import annotations

import pytest

from profiler.core.errors import InputError
from profiler.core.target import Target
from profiler.core.target_text import parse_target


def test_parts_in_any_order_are_one_target() -> None:
    found = parse_target("onnxruntime-cpu/b8/opt=x/fp16/2t/a=1")
    assert found == parse_target("onnxruntime-cpu/2t/fp16/b8/a=1/opt=x")
    assert found.key == "onnxruntime-cpu/2t/fp16/b8/a=1/opt=x"
    assert found.batch == 8
    options = (("a", "1"), ("opt", "x"))
    assert found.target() == Target("onnxruntime-cpu", "cpu", "fp16", 2, options)


def test_what_is_not_written_is_the_callers_choice() -> None:
    plain = parse_target("openvino-cpu")
    assert plain.key == "openvino-cpu"
    assert plain.target(threads=4) == Target("openvino-cpu", threads=4)
    assert parse_target("openvino-cpu/1t").target(threads=4).threads == 1


@pytest.mark.parametrize("text", ["", "/2t", "a/0t", "a/t", "a/fp17", "a/2t/3t", "a/x=", "a//2t"])
def test_the_part_that_is_none_is_named(text: str) -> None:
    with pytest.raises(InputError, match=r"target '.*'"):
        parse_target(text)
