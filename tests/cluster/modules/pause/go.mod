module kubectl-llm-hpa/tests/cluster/pause

go 1.26.0
