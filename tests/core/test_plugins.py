import pytest

from profiler.core import plugins
from profiler.core.errors import InputError


def test_plugins_are_listed_by_file_name():
    found = plugins.names("profiler.runtimes")
    assert "onnxruntime-cpu" in found
    assert not any(name.startswith("-") for name in found)


def test_an_unknown_name_lists_those_that_exist():
    with pytest.raises(InputError, match=r"'tpu'.*onnxruntime-cpu"):
        plugins.load("profiler.runtimes", "tpu")
