"""Write a small Llama model with random weights as a GGUF file: what the llama.cpp server loads.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.  The vocabulary is ``tiny_model``'s.  The
weights come from a fixed seed, so the same source gives the same bytes (5.6 MB for the default size).
"""

from __future__ import annotations

import array
import os
import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Final

from tests.cluster.ground.layout import cache_root
from tests.engine.installation import key
from tests.engine.tiny_model import CHAT_TEMPLATE, CONTEXT_LENGTH, SPECIAL_TOKENS, Size, vocabulary

ALIGNMENT: Final = 32
VERSION: Final = 3
FLOAT_TENSOR: Final = 0
NORMAL_TOKEN, CONTROL_TOKEN = 1, 3

TINY: Final = Size(hidden=256, layers=2, heads=4, kv_heads=2)

Value = int | float | bool | str | list[str] | list[int]


@dataclass(frozen=True)
class Tensor:
    """A tensor's name and its dimensions, innermost first."""

    name: str
    dimensions: tuple[int, ...]

    @property
    def size(self) -> int:
        return prod(self.dimensions)

    @property
    def stored_bytes(self) -> int:
        return _aligned(4 * self.size)


def ensure(size: Size = TINY) -> Path:
    """Return the model's file in the cache, writing it where it is missing."""
    source = "".join(Path(__file__).with_name(name).read_text() for name in ("tiny_gguf.py", "tiny_model.py"))
    path = cache_root() / f"tiny-{key(source, repr(size))}.gguf"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        write_gguf(scratch, size)
        scratch.rename(path)
    return path


def write_gguf(path: Path, size: Size) -> None:
    """Write the model to ``path``."""
    tensors = _tensors(size)
    metadata = _metadata(size)
    head = b"GGUF" + struct.pack("<IQQ", VERSION, len(tensors), len(metadata))
    head += b"".join(_pair(name, value) for name, value in metadata.items())
    offset = 0
    for tensor in tensors:
        head += _text(tensor.name) + struct.pack("<I", len(tensor.dimensions))
        head += struct.pack(f"<{len(tensor.dimensions)}QIQ", *tensor.dimensions, FLOAT_TENSOR, offset)
        offset += tensor.stored_bytes
    numbers = random.Random(7)
    noise = array.array("f", (numbers.gauss(0, 0.02) for _ in range(1 << 18)))
    with path.open("wb") as file:
        file.write(head.ljust(_aligned(len(head)), b"\0"))
        for tensor in tensors:
            if tensor.name.endswith("norm.weight"):
                weights = array.array("f", [1.0]) * tensor.size
            else:
                # The same noise from another place: drawing every weight takes longer than the tests do.
                start = numbers.randrange(len(noise))
                turned = noise[start:] + noise[:start]
                weights = (turned * (tensor.size // len(noise) + 1))[: tensor.size]
            file.write(weights.tobytes().ljust(tensor.stored_bytes, b"\0"))


def _metadata(size: Size) -> dict[str, Value]:
    tokens, merges = vocabulary()
    return {
        "general.architecture": "llama",
        "general.name": "tiny-random",
        "general.alignment": ALIGNMENT,
        "llama.context_length": CONTEXT_LENGTH,
        "llama.embedding_length": size.hidden,
        "llama.block_count": size.layers,
        "llama.feed_forward_length": 2 * size.hidden,
        "llama.attention.head_count": size.heads,
        "llama.attention.head_count_kv": size.kv_heads,
        "llama.rope.dimension_count": size.hidden // size.heads,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.vocab_size": len(tokens),
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": list(tokens),
        "tokenizer.ggml.token_type": [
            CONTROL_TOKEN if token in SPECIAL_TOKENS else NORMAL_TOKEN for token in tokens
        ],
        "tokenizer.ggml.merges": [" ".join(pair) for pair in merges],
        "tokenizer.ggml.bos_token_id": tokens["<s>"],
        "tokenizer.ggml.eos_token_id": tokens["</s>"],
        "tokenizer.ggml.unknown_token_id": tokens["<unk>"],
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": CHAT_TEMPLATE,
    }


def _tensors(size: Size) -> list[Tensor]:
    tokens, _ = vocabulary()
    hidden, wide = size.hidden, 2 * size.hidden
    kv = hidden // size.heads * size.kv_heads
    block = {
        "attn_norm": (hidden,),
        "attn_q": (hidden, hidden),
        "attn_k": (hidden, kv),
        "attn_v": (hidden, kv),
        "attn_output": (hidden, hidden),
        "ffn_norm": (hidden,),
        "ffn_gate": (hidden, wide),
        "ffn_up": (hidden, wide),
        "ffn_down": (wide, hidden),
    }
    return [
        Tensor("token_embd.weight", (hidden, len(tokens))),
        Tensor("output_norm.weight", (hidden,)),
        Tensor("output.weight", (hidden, len(tokens))),
        *(
            Tensor(f"blk.{layer}.{name}.weight", dimensions)
            for layer in range(size.layers)
            for name, dimensions in block.items()
        ),
    ]


def _pair(name: str, value: Value) -> bytes:
    """Return one entry of the metadata: key, type, value."""
    kind, encoded = _encoded(value)
    return _text(name) + struct.pack("<I", kind) + encoded


def _encoded(value: Value) -> tuple[int, bytes]:
    """Return the format's number for the type of ``value``, and its bytes."""
    if isinstance(value, bool):
        return 7, struct.pack("<?", value)
    if isinstance(value, int):
        return 4, struct.pack("<I", value)
    if isinstance(value, float):
        return 6, struct.pack("<f", value)
    if isinstance(value, str):
        return 8, _text(value)
    return 9, _list(value)


def _list(values: Sequence[str] | Sequence[int]) -> bytes:
    """Return a list of one type, as a list stands in the metadata."""
    texts = [value for value in values if isinstance(value, str)]
    if texts:
        return struct.pack("<IQ", 8, len(texts)) + b"".join(map(_text, texts))
    return struct.pack(f"<IQ{len(values)}i", 5, len(values), *values)


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
