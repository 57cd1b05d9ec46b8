"""Quantities as the API server reads and writes them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_llmhpa import quantities


@pytest.mark.parametrize(
    ("text", "value", "canonical", "shown"),
    [
        ("5", "5", "5", "5"),
        ("4800m", "4.8", "4800m", "4.8"),
        ("0.7", "0.7", "700m", "0.7"),
        ("700m", "0.7", "700m", "0.7"),
        ("0.0004", "0.0004", "1m", "0.0004"),
        ("1.5k", "1500", "1500", "1500"),
        ("2Ki", "2048", "2048", "2048"),
        ("1e3", "1000", "1000", "1000"),
        ("-3", "-3", "-3", "-3"),
        (".5", "0.5", "500m", "0.5"),
        ("100u", "0.0001", "1m", "0.0001"),
    ],
)
def test_known_quantities(text: str, value: str, canonical: str, shown: str) -> None:
    parsed = quantities.parse(text)
    assert parsed == Decimal(value)
    assert quantities.show(parsed) == canonical
    assert quantities.human(text) == shown


@pytest.mark.parametrize("text", ["", "five", "5 m", "5mm", "0x5", "NaN", "1,5"])
def test_other_text_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        quantities.parse(text)
    assert quantities.human(text) == "<unknown>"


@pytest.mark.parametrize("text", ["-9223372036854775808m", "-9223372036854775.808", None])
def test_the_garbage_number_is_unknown(text: str | None) -> None:
    assert quantities.human(text) == "<unknown>"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_number_has_no_quantity(value: float) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        quantities.show(value)


@given(st.integers(min_value=-(10**12), max_value=10**12))
def test_milli_values_survive_a_round_trip(milli: int) -> None:
    value = Decimal(milli) / 1000
    assert quantities.parse(quantities.show(value)) == value


@given(st.decimals(min_value=0, max_value=10**9, allow_nan=False, allow_infinity=False, places=6))
def test_what_is_finer_than_milli_is_rounded_up(value: Decimal) -> None:
    shown = quantities.parse(quantities.show(value))
    assert value <= shown < value + Decimal("0.001")
