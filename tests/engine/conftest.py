"""The real engine in a namespace of its own, and what the cluster tests share."""

from tests.cluster.conftest import kubectl, llm_hpa, namespace

__all__ = ["kubectl", "llm_hpa", "namespace"]
