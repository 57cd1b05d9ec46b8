"""How is every autoscaler of LLM pods? One table a person can run a shift on.

`question` is light and comes first; `look`, `overview` and what they need load while its requests are on their way.
"""
