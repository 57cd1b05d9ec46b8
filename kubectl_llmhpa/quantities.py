"""Kubernetes quantities: `4800m`, `700m`, `5`, `2Ki`.

Source: k8s.io/apimachinery pkg/api/resource/quantity.go (suffixes; canonical form in milli).
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_CEILING, Decimal

_SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal("1e3"), "M": Decimal("1e6"), "G": Decimal("1e9"), "T": Decimal("1e12"),
    "P": Decimal("1e15"), "E": Decimal("1e18"),
    "Ki": Decimal(2) ** 10, "Mi": Decimal(2) ** 20, "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40, "Pi": Decimal(2) ** 50, "Ei": Decimal(2) ** 60,
}  # fmt: skip

_QUANTITY = re.compile(
    r"(?P<number>[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?)(?P<suffix>[KMGTPE]i|[numkMGTPE]|)"
)

#: What an adapter hands over for NaN and infinity (external) or +Inf (custom): math.MinInt64 milli.
GARBAGE = Decimal(-9223372036854775808) / 1000
#: The highest value that the HPA can calculate with: an int64 of thousandths.
MOST = Decimal(9223372036854775807) / 1000


def parse(text: str | int | float) -> Decimal:
    """The value of a quantity.

    Raises ValueError for anything that the API server would not accept.
    """
    word = str(text).strip()
    match = _QUANTITY.fullmatch(word)
    if match is None:
        raise ValueError(f"not a quantity: {text!r}")
    value = Decimal(match["number"]) * _SUFFIXES[match["suffix"]]
    return value


def is_garbage(text: str | int | float) -> bool:
    """Whether a quantity is the number that NaN or infinity turns into on its way to the HPA."""
    try:
        return parse(text) == GARBAGE
    except ValueError:
        return False


def show(value: Decimal | float | int) -> str:
    """The canonical text of a value at milli resolution, rounded up as the API server does."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"not a quantity: {value!r}")
    milli = int((Decimal(str(value)) * 1000).to_integral_value(rounding=ROUND_CEILING))
    return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"


def human(text: str | int | float | None) -> str:
    """A quantity for a person: `4.8` for `4800m`, `<unknown>` for None and for the garbage number.

    What is beyond all calculation is short: `1e+300`.
    """
    if text is None or is_garbage(text):
        return "<unknown>"
    try:
        value = parse(text)
    except ValueError:
        return "<unknown>"
    if abs(value) > MOST:
        return f"{value:.3g}"
    return f"{value.normalize():f}" if value != value.to_integral() else f"{int(value)}"
