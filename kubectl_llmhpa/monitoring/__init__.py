"""Who scrapes the engine? One file a scraper."""

from kubectl_llmhpa.monitoring.prometheus_operator import selected_by, selects

__all__ = ["selected_by", "selects"]
