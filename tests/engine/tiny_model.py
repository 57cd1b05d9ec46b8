"""Write a small language model that has no weights: a configuration and a byte-level tokenizer.

vLLM and SGLang serve such a directory with ``--load-format dummy``, which
makes the weights up; Dynamo's mocker reads no more than the tokenizer.
Nothing is downloaded.  What the model says is noise; how long it takes is
what the tests are about, and the sizes below decide it.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.ground.layout import cache_root
from tests.engine.installation import key

CONTEXT_LENGTH: Final = 4096
SPECIAL_TOKENS: Final = ("<unk>", "<s>", "</s>", "<|user|>", "<|assistant|>")
FREQUENT_LETTERS: Final = "etaoinshrdlu"
CHAT_TEMPLATE: Final = (
    "{% for message in messages %}"
    "{{ '<|assistant|>' if message['role'] == 'assistant' else '<|user|>' }}{{ message['content'] }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@dataclass(frozen=True)
class Size:
    """The measures of a Llama model."""

    hidden: int = 1024
    layers: int = 8
    heads: int = 16
    kv_heads: int = 4


SMALL: Final = Size(hidden=512, layers=4, heads=8, kv_heads=2)
"""An eighth of the work: for CPUs without AVX-512, and for tests with several pods."""


def ensure(size: Size | None = None) -> Path:
    """Return the model's folder in the cache, writing it where it is missing."""
    size = size or Size()
    folder = cache_root() / f"tiny-model-{key(Path(__file__).read_text(), repr(size))}"
    if not folder.exists():
        scratch = folder.with_name(f".{folder.name}.{os.getpid()}")
        write_model(scratch, size)
        try:
            scratch.rename(folder)
        except OSError:  # another run was faster
            shutil.rmtree(scratch)
    return folder


def write_model(folder: Path, size: Size | None = None) -> None:
    """Write the model's files into ``folder``."""
    size = size or Size()
    tokens, merges = vocabulary()
    documents = {
        "config.json": _config(size, tokens),
        "generation_config.json": {
            "bos_token_id": tokens["<s>"],
            "eos_token_id": tokens["</s>"],
        },
        "tokenizer.json": _tokenizer(tokens, merges),
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": CONTEXT_LENGTH,
            "bos_token": "<s>",
            "eos_token": "</s>",
            "unk_token": "<unk>",
            "pad_token": "</s>",
            "clean_up_tokenization_spaces": False,
            "chat_template": CHAT_TEMPLATE,
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")


def byte_letters() -> list[str]:
    """Return the printable letter that stands for each byte in a byte-level vocabulary."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    substitutes = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(substitutes)) for byte in range(0x100)]


def vocabulary() -> tuple[dict[str, int], list[list[str]]]:
    """Return token ids and merges: all bytes, and pairs of letters, so that text is not a token a byte."""
    merges = [[left, right] for left in FREQUENT_LETTERS for right in FREQUENT_LETTERS]
    tokens = [*SPECIAL_TOKENS, *byte_letters(), *("".join(pair) for pair in merges)]
    return {token: number for number, token in enumerate(tokens)}, merges


def _config(size: Size, tokens: dict[str, int]) -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": -(-len(tokens) // 64) * 64,
        "hidden_size": size.hidden,
        "intermediate_size": 2 * size.hidden,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "num_key_value_heads": size.kv_heads,
        "head_dim": size.hidden // size.heads,
        "max_position_embeddings": CONTEXT_LENGTH,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "initializer_range": 0.02,
        "use_cache": True,
        "torch_dtype": "float32",
        "bos_token_id": tokens["<s>"],
        "eos_token_id": tokens["</s>"],
        "pad_token_id": tokens["</s>"],
    }


def _tokenizer(tokens: dict[str, int], merges: list[list[str]]) -> dict[str, object]:
    """Return a tokenizer in the format of the ``tokenizers`` library."""
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    added = [
        {
            "id": tokens[token],
            "content": token,
            "special": True,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
        }
        for token in SPECIAL_TOKENS
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": tokens,
            "merges": merges,
        },
    }
