"""`doctor` on a real chain: healthy by each backend within its requests, and the same again from its facts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kubectl_llmhpa.doctor import HOPS
from tests.cluster.conftest import ADAPTER, Kubectl, Plugin
from tests.cluster.stub_workload import Stub

pytestmark = pytest.mark.cluster

MOST_REQUESTS = 30
BACKENDS = {"keda": ("--backend=keda",), "prometheus-adapter": ADAPTER}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_healthy_workload(
    kubectl: Kubectl, llm_hpa: Plugin, namespace: str, tmp_path: Path, backend: str
) -> None:
    stub = Stub(kubectl, namespace)
    stub.start()
    done = llm_hpa("enable", *stub.reference, "--max", "3", *BACKENDS[backend])
    assert done.code == 0, done.stderr
    facts = tmp_path / "facts.json"

    looked = llm_hpa("doctor", *stub.reference, "--record", str(facts), "-v", "6")
    assert looked.code == 0, looked.stdout
    lines = looked.stdout.splitlines()
    assert [line[9:22].strip() for line in lines[1 : len(HOPS) + 1]] == [one.name for one in HOPS]
    assert lines[-1].startswith("healthy")
    requests = [line for line in looked.stderr.splitlines() if "verb=" in line]
    assert 0 < len(requests) <= MOST_REQUESTS
    assert not [line for line in requests if 'verb="GET" url="/api/v1/pods' in line]

    again = llm_hpa("doctor", "--facts", str(facts), KUBECONFIG="/dev/null")
    assert (again.code, again.stdout) == (looked.code, looked.stdout)

    kubectl.run(
        "autoscale", f"sts/{stub.name}", "-n", namespace, "--name", "second", "--max", "4", "--cpu=50%"
    )
    by_hpa = llm_hpa("doctor", f"hpa/{stub.name}", "-n", namespace, "-o", "json", "--record", str(facts))
    found = json.loads(by_hpa.stdout)
    assert (by_hpa.code, found["broken"], found["healthy"]) == (1, "target", False)
    broken = next(one for one in found["hops"] if one["mark"] == "broken")
    assert broken["finding"]["code"] == "two-scalers"
    assert broken["finding"]["fix"].startswith(f"kubectl -n {namespace} delete hpa/second  # ")
    replayed = llm_hpa("doctor", "--facts", str(facts), "-o", "json", KUBECONFIG="/dev/null")
    assert (replayed.code, replayed.stdout) == (1, by_hpa.stdout)
    gone = llm_hpa("disable", *stub.reference)
    assert gone.code == 0, gone.stderr


def test_what_is_not_there_could_not_be_looked_at(llm_hpa: Plugin, namespace: str) -> None:
    for name in ("sts/nothing", "hpa/nothing", "scaledobject/nothing"):
        looked = llm_hpa("doctor", name, "-n", namespace)
        assert (looked.code, looked.stdout) == (2, "")
        assert "nothing" in looked.stderr
    assert llm_hpa("doctor", "sts/nothing", KUBECONFIG="/dev/null").code == 2
