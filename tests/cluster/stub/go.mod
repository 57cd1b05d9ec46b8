module github.com/kubectl-llm-hpa/kubectl-llm-hpa/tests/cluster/stub

go 1.22
