"""Every engine of this version. A row that passes other engines' series through comes before those."""

from __future__ import annotations

from kubectl_llmhpa.engines.dynamo import DYNAMO
from kubectl_llmhpa.engines.llamacpp import LLAMACPP
from kubectl_llmhpa.engines.lmdeploy import LMDEPLOY
from kubectl_llmhpa.engines.model import Engine
from kubectl_llmhpa.engines.nim import NIM
from kubectl_llmhpa.engines.sglang import SGLANG
from kubectl_llmhpa.engines.tgi import TGI
from kubectl_llmhpa.engines.triton import TRITON
from kubectl_llmhpa.engines.trtllm import TRTLLM
from kubectl_llmhpa.engines.vllm import VLLM

ENGINES: tuple[Engine, ...] = (
    DYNAMO,
    VLLM,
    SGLANG,
    LLAMACPP,
    LMDEPLOY,
    TGI,
    TRTLLM,
    TRITON,
    NIM,
)
