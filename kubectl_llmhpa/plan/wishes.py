"""What the user asks `enable` for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

#: The parts of a set-up, which a platform team and a namespace team can share out (`--only`).
SCRAPE, RULES, SCALER = "scrape", "rules", "hpa"
PARTS = (SCRAPE, RULES, SCALER)


@dataclass(frozen=True)
class Wishes:
    """The flags of `enable`; None and empty mean: keep what is live, else the default."""

    min_replicas: int | None = None
    max_replicas: int | None = None
    preset: str | None = None
    targets: Mapping[str, Decimal] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    """Where each of the targets comes from, where that is not the command line."""
    scrape: str = "auto"
    scrape_interval: str | None = None
    scale_down_window: int | None = None
    scale_down: bool | None = None
    name: str | None = None
    prometheus: str = ""
    prometheus_url: str = ""
    """The URL that KEDA asks, where it is not that of a Prometheus in the cluster."""
    token_secret: tuple[str, str] | None = None
    """Name and key of the Secret with the token that Prometheus wants of KEDA."""
    unsafe_ssl: bool = False
    fallback: int | None = None
    """Replicas while KEDA cannot read the metric, if there are fewer; None: they stay as they are."""
    backend: str = "auto"
    adopt: bool = False
    reset_defaults: bool = False
    edit_adapter: bool | None = None
    """True: edit the adapter's ConfigMap whoever owns it; False: never; None: unless somebody else owns it."""
    helm_chart: str = ""
    """The chart with which `helm upgrade` adds the rules, instead of an edit."""
    install_api: bool = False
    """Register the custom metrics API for an adapter that only serves resource metrics."""
    parts: frozenset[str] = frozenset(PARTS)
    exporting: bool = False
    """Nothing is written to the cluster: what came there from an earlier export counts as ours."""
    moving: bool = False
    """Take what scales the workload over into the form of another backend (`migrate`)."""
