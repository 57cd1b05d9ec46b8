"""Autoscale LLM pods on Kubernetes from the inference engine's own queue metrics."""

__version__ = "0.1.0"
