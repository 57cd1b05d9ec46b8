"""The report of a run: plain data, and its forms: text, Markdown, a document for programs."""

from kubectl_llmhpa.bench.report.building import of_outcome
from kubectl_llmhpa.bench.report.document import document, load, read
from kubectl_llmhpa.bench.report.markdown import markdown
from kubectl_llmhpa.bench.report.model import Report
from kubectl_llmhpa.bench.report.page import page
from kubectl_llmhpa.bench.report.text import text

__all__ = ["Report", "document", "load", "markdown", "of_outcome", "page", "read", "text"]
