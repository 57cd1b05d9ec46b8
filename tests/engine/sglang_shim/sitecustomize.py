"""Stands in for the server's modules that SGLang's load generator imports, so that it starts without a GPU's torch.

Python imports this file by itself where its folder is on the path. The generator's own modules come unchanged from
the package in SGLANG_HOME, and the dataset reader that it never uses here is empty.
"""

from __future__ import annotations

import importlib
import os
import sys
import types
from typing import Any

FAKE_BOOTSTRAP_HOST = "2.2.2.2"


def stand_in(name: str, path: tuple[str, ...] = (), **names: Any) -> None:
    made = types.ModuleType(name)
    made.__path__ = list(path)
    made.__dict__.update(names)
    sys.modules[name] = made


def base(url: str, _host: str, _port: int) -> str:
    return url


def tokenizer(name: str, **_: Any) -> Any:
    return importlib.import_module("transformers").AutoTokenizer.from_pretrained(name)


stand_in("sglang", (os.path.join(os.environ["SGLANG_HOME"], "sglang"),))
for parent in ("sglang.srt", "sglang.srt.utils", "sglang.srt.disaggregation"):
    stand_in(parent)
stand_in("sglang.srt.disaggregation.utils", FAKE_BOOTSTRAP_HOST=FAKE_BOOTSTRAP_HOST)
stand_in("sglang.srt.utils.network", resolve_base_url=base, resolve_host_port=base)
stand_in("sglang.srt.utils.hf_transformers_utils", get_tokenizer=tokenizer, get_processor=None)
stand_in("datasets", load_dataset=None)
