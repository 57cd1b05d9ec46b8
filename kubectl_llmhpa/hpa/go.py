"""Numbers as Go has them: int32, int64, float64, and Quantity with its corners.

Conversions of a float that does not fit are Go's on amd64, where the smallest integer comes out (on arm64 it is the
nearest one that fits, and 0 for NaN). Quantities: k8s.io/apimachinery pkg/api/resource of 0.34 to 0.37.
"""

from __future__ import annotations

import math
import re

MIN_INT32, MAX_INT32 = -(2**31), 2**31 - 1
MIN_INT64, MAX_INT64 = -(2**63), 2**63 - 1
_TWO_TO_63 = float(2**63)


def ceil32(value: float) -> int:
    """`int32(math.Ceil(value))`."""
    return math.ceil(value) if -2147483649.0 < value <= 2147483647.0 else MIN_INT32


def floor32(value: float) -> int:
    """`int32(value)`: towards zero."""
    return int(value) if -2147483649.0 < value < 2147483648.0 else MIN_INT32


def ceil64(value: float) -> int:
    """`int64(math.Ceil(value))`."""
    return math.ceil(value) if -_TWO_TO_63 <= value < _TWO_TO_63 else MIN_INT64


def wrap32(value: int) -> int:
    """The low 32 bits, as an overflow of an int32 leaves them."""
    return (value + 2**31) % 2**32 - 2**31


def wrap64(value: int) -> int:
    """The low 64 bits, as an overflow of an int64 leaves them."""
    return value if MIN_INT64 <= value <= MAX_INT64 else (value + 2**63) % 2**64 - 2**63


def divided(value: int, by: int) -> int:
    """Integer division towards zero."""
    return value // by if value >= 0 else -(-value // by)


def ratio(value: float, by: float) -> float:
    """Float division, which in Go has no error: infinite or NaN by zero."""
    if by:
        return value / by
    return math.nan if value == 0 or math.isnan(value) else math.copysign(math.inf, value)


_QUANTITY = re.compile(
    r"(?P<sign>[+-]?)(?P<whole>\d*)(?P<point>\.(?P<part>\d*))?(?P<suffix>[eE][+-]?\d{1,3}|[KMGTPE]i|[numkMGTPE])?"
)
_POWERS_OF_10 = {
    "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
}  # fmt: skip
_POWERS_OF_2 = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_NANO = -9
_DIGITS = 18  # of an int64, always
_BINARY_DIGITS = 14
_AT_ONCE = (0, 1, 2, 3, 6, 9)  # powers of ten that Quantity multiplies by in one step


def milli(quantity: str) -> int:
    """`MilliValue()`: thousandths, rounded away from zero, with an overflow as Go leaves it.

    An overflow is no corner: NaN and infinity reach the controller as `-9223372036854775808m`, whose 19 digits go by
    way of big numbers and come out as 0. Raises ValueError for what is no quantity.
    """
    unscaled, exponent, big = _parsed(quantity)
    shift = exponent + 3
    if big:
        return _big_milli(unscaled, shift)
    if shift >= 0:
        scaled = unscaled * _power(shift)
        return wrap64(scaled) if shift in _AT_ONCE or wrap64(scaled) == scaled else 0
    away = -(-abs(unscaled) // _power(-shift))
    return away if unscaled >= 0 else -away


def approximate(quantity: str) -> float:
    """`AsApproximateFloat64()`. Raises ValueError for what is no quantity."""
    unscaled, exponent, _ = _parsed(quantity)
    if exponent >= 0:
        return float(unscaled) * 10.0**exponent
    return float(unscaled) * (1.0 / 10.0**-exponent)


def _parsed(quantity: str) -> tuple[int, int, bool]:
    """(unscaled, power of ten, whether Quantity holds it as a big number)."""
    match = _QUANTITY.fullmatch(quantity)
    if match is None or not (match["whole"] or match["part"]):
        raise ValueError(f"not a quantity: {quantity!r}")
    whole, part, suffix = match["whole"].lstrip("0") or "0", match["part"] or "", match["suffix"] or ""
    digits, sign = len(whole) + len(part), -1 if match["sign"] == "-" else 1
    unscaled = sign * int(whole + part)
    if suffix in _POWERS_OF_2:
        power = _POWERS_OF_2[suffix]
        if not part and _BINARY_DIGITS - digits - power * 3 // 10 >= 0:
            return unscaled * 2**power, 0, False
        return _rounded(unscaled * 2**power, -len(part), capped=True)
    exponent = _POWERS_OF_10[suffix] if suffix in _POWERS_OF_10 else int(suffix[1:])
    if digits <= _DIGITS and exponent - len(part) >= _NANO:
        return unscaled, exponent - len(part), False
    return _rounded(unscaled, exponent - len(part), capped=False)


def _rounded(unscaled: int, exponent: int, *, capped: bool) -> tuple[int, int, bool]:
    """A big number as parsing leaves it: in billionths, rounded away from zero, capped where the suffix is binary."""
    if not unscaled:
        return 0, exponent, True
    shift = exponent - _NANO
    size = abs(unscaled) * _power(shift) if shift >= 0 else -(-abs(unscaled) // _power(-shift))
    sign = 1 if unscaled > 0 else -1
    if capped and size > MAX_INT64 * _power(-_NANO):
        return sign * MAX_INT64, 0, True
    return sign * size, _NANO, True


def _big_milli(unscaled: int, shift: int) -> int:
    if shift >= 0:
        return wrap64(wrap64(unscaled) * _power(shift))
    by = _power(-shift)
    if unscaled < MAX_INT64 and -shift < 19:
        low = wrap64(unscaled)
        return divided(low, by) + (1 if low % by else 0)
    return wrap64(unscaled // by) + (1 if unscaled % by else 0)


def _power(of_ten: int) -> int:
    return int(10**of_ten)
