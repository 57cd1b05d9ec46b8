"""Engines inside Ray: how Ray's metrics agent spells their series.

Engines hand their metrics to `ray.util.metrics` (vllm/v1/metrics/ray_wrappers.py; sglang/srt/observability/
ray_wrappers.py, 0.5.15 and newer); the agent of each node serves those of all actors on it, so one pod may show
several engines. A counter appears with its first increment, a gauge when it is first set, 0 included.
"""

from __future__ import annotations

from kubectl_llmhpa.engines.exposition import Exposition, Sample

#: Labels that tell the actors of one node apart; outside Ray Serve `ReplicaId` is absent or empty.
ACTORS = ("WorkerId", "ReplicaId")


def spellings(name: str) -> tuple[str, str]:
    """Ray adds `ray_`; the engine turns its colon into `_` (vLLM from 0.11 on; 0.10.2 left it as it was)."""
    return f"ray_{name.replace(':', '_')}", f"ray_{name}"


def wraps(body: Exposition, prefix: str) -> bool:
    """Whether the body has series of the engine with this prefix (`vllm:`) under Ray's spelling."""
    return any(body.has(spelt) for spelt in spellings(prefix))


def unwrapped(body: Exposition, prefix: str) -> Exposition:
    """The body with the engine's own names in place of Ray's; as it is when Ray wraps nothing in it."""
    if not wraps(body, prefix):
        return body
    samples: dict[str, list[Sample]] = {}
    for name, found in body.samples.items():
        spelt = next((one for one in spellings(prefix) if name.startswith(one)), None)
        samples.setdefault(name if spelt is None else prefix + name.removeprefix(spelt), []).extend(found)
    return Exposition(body.families, {name: tuple(found) for name, found in samples.items()})
