"""Every engine of this version. A row that passes other engines' series through comes before those."""

from __future__ import annotations

from kubectl_llmhpa.engines.model import Engine
from kubectl_llmhpa.engines.vllm import VLLM

ENGINES: tuple[Engine, ...] = (VLLM,)
