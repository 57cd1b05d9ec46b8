"""Who scrapes the engine? One file a scraper."""

from kubectl_llmhpa.monitoring.prometheus_operator import selects

__all__ = ["selects"]
