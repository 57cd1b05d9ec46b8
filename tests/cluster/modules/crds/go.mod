module kubectl-llm-hpa/tests/cluster/crds

go 1.26.0

require (
	github.com/argoproj/argo-rollouts v1.9.0
	github.com/kserve/kserve v0.20.0
	github.com/ray-project/kuberay/ray-operator v1.5.0
	github.com/vllm-project/aibrix v0.7.0
	github.com/volcano-sh/kthena v1.0.0
)
