import pytest

from profiler.bench.shapes import bind_inputs, symbols
from profiler.core.errors import InputError
from profiler.core.tensor import TensorSpec

IMAGE = TensorSpec("image", "float32", ("batch", 3, "height", 224))


def test_symbolic_sizes_come_from_the_person():
    (bound,) = bind_inputs([IMAGE], {"height": 192}, 4)
    assert bound.shape == (4, 3, 192, 224)


def test_the_batch_is_one_unless_given():
    (bound,) = bind_inputs([IMAGE], {"height": 192}, None)
    assert bound.shape[0] == 1
    assert symbols([IMAGE], None) == {"batch": 1}


def test_an_axis_without_a_size_is_named():
    with pytest.raises(InputError, match=r"'image' has no size for height; .*--dim height=SIZE"):
        bind_inputs([IMAGE], {}, 1)


def test_a_fixed_batch_is_not_another_batch():
    fixed = TensorSpec("x", "float32", (1, 3))
    assert bind_inputs([fixed], {}, None) == (fixed,)
    with pytest.raises(InputError, match="fixed batch of 1, not 8"):
        bind_inputs([fixed], {}, 8)


@pytest.mark.parametrize("shape", [None, (0, 3), (-1, 3)])
def test_impossible_shapes_are_refused(shape):
    with pytest.raises(InputError, match="'x'"):
        bind_inputs([TensorSpec("x", "float32", shape)], {}, None)
