import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.core.errors import InputError
from profiler.core.units import ms, parse_quantity, printable, si


@pytest.mark.parametrize(
    ("text", "units", "value"),
    [
        ("2ms", ("ms",), 2e6),
        ("1.5 s", ("s",), 1.5e9),
        ("300M", ("", "M"), 3e8),
        ("20MiB", ("MiB",), 20 * 2**20),
        ("1e3", ("",), 1000.0),
    ],
)
def test_quantities_are_read_into_base_units(text, units, value):
    assert parse_quantity(text, units) == value


@pytest.mark.parametrize("text", ["", "ms", "2 apples", "2MiB", "-1ms", "nan"])
def test_what_is_no_latency_is_refused(text):
    with pytest.raises(InputError, match="not a quantity"):
        parse_quantity(text, ("ns", "us", "ms", "s"))


def test_numbers_are_printed_with_three_digits_or_more():
    assert ms(4_310) == "0.0043"
    assert ms(3_061_000) == "3.061"
    assert ms(23_800_000) == "23.80"
    assert si(15_647_370) == "15.65 M"


@given(st.text(max_size=300))
def test_printable_text_has_no_control_characters(text):
    shown = printable(text)
    assert shown.isprintable()
    assert "\x1b" not in shown
