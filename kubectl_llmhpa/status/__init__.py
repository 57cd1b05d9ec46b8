"""How is every autoscaler of LLM pods? One table a person can run a shift on."""
