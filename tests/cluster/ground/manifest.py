"""Fill in the templates of the ``manifests`` folder."""

from __future__ import annotations

from string import Template

from tests.cluster.ground.layout import MANIFESTS


def render(template: str, /, **values: object) -> str:
    """Return the file ``template`` with its ``${...}`` placeholders filled in."""
    return Template((MANIFESTS / template).read_text()).substitute(
        {key: str(value) for key, value in values.items()}
    )
