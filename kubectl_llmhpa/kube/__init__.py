"""The API server: one connection, made by the user's own kubectl. Only this folder imports `kubernetes`."""

from kubectl_llmhpa.kube.cluster import Cluster
from kubectl_llmhpa.kube.connection import Connection

__all__ = ["Cluster", "Connection"]
