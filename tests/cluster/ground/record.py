"""What a running cluster was asked for, kept in its state folder."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace

from tests.cluster.ground.layout import Layout


@dataclass(frozen=True)
class Options:
    """Durations that tests may want to shorten, as Go writes them (``15s``, ``5m``)."""

    hpa_sync: str = "15s"
    hpa_downscale: str = "5m"
    adapter_relist: str = "1m"

    def changed(self, **given: str | None) -> Options:
        """Return these options with those of ``given`` that are not None."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})


@dataclass(frozen=True)
class Record:
    """Options, the parts that are up, and the folder that containerd keeps its images in."""

    options: Options = field(default_factory=Options)
    parts: tuple[str, ...] = ()
    image_store: str = ""

    def save(self, layout: Layout) -> None:
        """Write the record, whole."""
        scratch = layout.record.with_suffix(".new")
        scratch.write_text(json.dumps(asdict(self), indent=2) + "\n")
        os.replace(scratch, layout.record)


def load(layout: Layout) -> Record | None:
    """Return the record of a cluster, None when there is none or it cannot be read."""
    try:
        found = json.loads(layout.record.read_text())
        return Record(
            options=Options(**found["options"]),
            parts=tuple(found["parts"]),
            image_store=found["image_store"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
