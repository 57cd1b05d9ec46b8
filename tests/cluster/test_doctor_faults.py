"""The failures that people report most, made on a real cluster: `doctor` names the hop, the cause and the fix of each.

Those of one workload stand side by side in one namespace, and a healthy one beside them. Those of what all share come
after them, one by one (`TestWhatAllShare`). docs/failure-modes.md has the list.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone
from urllib.parse import quote

import pytest

from kubectl_llmhpa.hpa.scaled_objects import FAILED
from tests.cluster.conftest import Json, Kubectl, Outcome, Plugin, fresh_namespace, load_image
from tests.cluster.doctor_scene import CACHE, RUNNING, SCENE, WAITING, Place, crowded, objects, rule
from tests.cluster.guarded import guarded_prometheus
from tests.cluster.plain_adapter import CUSTOM, api_service_away
from tests.cluster.shared_adapter import SharedAdapter
from tests.cluster.stage import Stage
from tests.cluster.stub_workload import Stub
from tests.cluster.test_faults_keda import EXTERNAL, taken_over
from tests.cluster.topologies import made
from tests.cluster.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

PROMETHEUS = "/api/v1/namespaces/monitoring/services/kube-prometheus-stack-prometheus:9090/proxy/api/v1/query"
RAW = "<<.Series>>{<<.LabelMatchers>>}"
RULES = (rule(RUNNING), rule(CACHE, query=RAW))
EXTERNAL_RULES = (rule(WAITING),)
#: After so long a pod without a value is no young one any more (doctor/values.py).
OLD = 93.0


@dataclass(frozen=True)
class Fault:
    """The chain `name` breaks at `hop` with the finding `code`, and its fix has these words in it.

    `number` is that of docs/failure-modes.md, `asked` what is given to doctor instead of the Deployment.
    """

    number: int
    name: str
    hop: str
    code: str
    fix: tuple[str, ...]
    asked: str = ""
    seen: tuple[str, ...] = ()


FAULTS = (
    Fault(2, "unselected", "selection", "monitor-not-selected",
          ("label podmonitor/unselected release=kube-prometheus-stack",)),
    Fault(3, "port-name", "scrape object", "monitor-port", ("patch podmonitor/port-name", '"http"'),
          seen=("'metrics'",)),
    Fault(3, "dropped", "scrape target", "no-target", ("dropped targets",)),
    Fault(4, "selector-off", "scrape object", "monitor-matches-nothing",
          ("patch podmonitor/selector-off", '"app": "selector-off"'), seen=("app=other",)),
    Fault(5, "renamed", "name", "renamed-metric", (CACHE,), seen=("vllm:gpu_cache_usage_perc",)),
    Fault(5, "misspelt", "sample", "metric-not-exposed", (RUNNING,), seen=("vllm:num_requests_runing",)),
    Fault(7, "silent-zero", "value", "silent-zero", ("ignoreNullValues",), seen=('model="tiny"',)),
    Fault(7, "empty", "value", "keda-empty", ("labels in the query",), seen=('model="tiny"',)),
    Fault(8, "refused", "value", "keda-unauthorized", ("TriggerAuthentication",), seen=("401",)),
    Fault(8, "unreachable", "value", "keda-unreachable", ("http://nobody.monitoring.svc:9090",)),
    Fault(8, "fallback", "value", "keda-unreachable", ("http://nobody.monitoring.svc:9090",), seen=("fallback",)),
    Fault(9, "fought", "effect", "replicas-fought", ("spec.replicas",), seen=("asked for 2",)),
    Fault(9, "part", "target", "scales-a-part", ("LeaderWorkerSet/group",), "hpa/part"),
    Fault(10, "no-selector", "target", "no-scale-selector", ("below it",), "hpa/no-selector"),
    Fault(10, "no-scale", "target", "no-scale-subresource", ("as a Deployment",), "hpa/no-scale", seen=("no-scale",)),
    Fault(11, "two", "target", "two-scalers", ("delete hpa/two-more",), seen=("hpa/two",)),
    Fault(12, "foreign", "target", "foreign-pods", ("app=foreign",), seen=("Pod/canary",)),
    Fault(13, "reverse", "name", "adapter-wrong-list", ("an External metric",), seen=(WAITING,)),
    Fault(14, "label", "sample", "pod-label", ("kubernetes_pod_name",)),
    Fault(17, "sum", "autoscaler", "sum-as-value", ("AverageValue",), seen=(RUNNING,)),
    Fault(19, "asleep", "autoscaler", "nobody-counts-at-zero", ("scale deployment/asleep --replicas=1",)),
    Fault(19, "asleep-too", "autoscaler", "nobody-counts-at-zero", ("scale deployment/asleep-too --replicas=1",)),
    Fault(22, "nan", "engine", "not-a-number", (">= 0",), seen=(RUNNING,)),
    Fault(22, "constant", "value", "zero-hides-loss", ("or vector(0)",)),
    Fault(23, "ranks", "value", "last-series-wins", ("sum",), seen=("2 series",)),
    Fault(24, "elements", "value", "query-many-elements", (f"sum({RUNNING}",), seen=("2 elements",)),
    Fault(25, "metrics-off", "engine", "metrics-off", ("--enable-metrics",)),
    Fault(26, "tls", "scrape target", "target-scheme", ("https",)),
    Fault(26, "path", "scrape target", "target-down", ("port 8000",), seen=("404",)),
    Fault(26, "blocked", "scrape target", "target-blocked", ("NetworkPolicies",)),
    Fault(27, "everybody", "value", "query-of-everybody", ("namespace=",)),
    Fault(28, "pending", "effect", "pods-unschedulable", ("lower the HPA's maximum",)),
    Fault(30, "ratio", "autoscaler", "ratio-target", ("0.8",), seen=(CACHE,)),
    Fault(30, "seats", "autoscaler", "target-above-seats", ("use ",), seen=("100",)),
)  # fmt: skip
#: In a namespace of its own, with a quota of one pod.
QUOTA = Fault(28, "crowded", "effect", "quota-exceeded", ("describe quota",))
FOUGHT = "fought"
#: The PodMonitors that Prometheus makes something of.
SCRAPED = {SCENE, "label", "tls", "path", "blocked"}
HEALTHY = ("whole", "whole-keda", "starting")


@dataclass
class Scene:
    """Two namespaces with broken chains, and what doctor said of each."""

    kubectl: Kubectl
    llm_hpa: Plugin
    place: Place
    other: Place
    said: dict[str, Outcome] = field(default_factory=dict)

    def ask(self, name: str, asked: str = "", place: Place | None = None) -> Outcome:
        """What doctor says now."""
        where = place or self.place
        return self.llm_hpa("doctor", asked or f"deploy/{name}", "-n", where.namespace, "-o", "json")

    def check(self, fault: Fault, said: Outcome) -> None:
        """It is broken as the fault says, no hop later was judged, and the fix names what mends it."""
        found = json.loads(said.stdout)
        marks = {one["hop"]: one["mark"] for one in found["hops"]}
        finding = next((one["finding"] for one in found["hops"] if one["finding"]), None) or {}
        assert (said.code, found["broken"], finding.get("code")) == (1, fault.hop, fault.code), shown(found)
        behind = list(marks)[list(marks).index(fault.hop) + 1 :]
        assert {marks[one] for one in behind} <= {"unknown"}, shown(found)
        for word in fault.fix:
            assert word in finding["fix"], finding
        for word in fault.seen:
            assert word in finding["seen"], finding


def shown(found: Json) -> str:
    return "\n".join(f"{one['mark']} {one['hop']}: {one['answer']} {one['finding']}" for one in found["hops"])


@pytest.fixture(scope="module")
def adapter(kubectl: Kubectl) -> Iterator[SharedAdapter]:
    found = SharedAdapter(kubectl)
    try:
        yield found
    finally:
        found.restore()


@pytest.fixture(scope="module")
def scene(kubectl: Kubectl, llm_hpa: Plugin, adapter: SharedAdapter) -> Iterator[Scene]:
    """All chains stand, every controller has looked at them, and doctor has been asked about each."""
    load_image("stub-engine")
    with contextlib.ExitStack() as stack:
        place, other = (Place(stack.enter_context(fresh_namespace(kubectl))) for _ in range(2))
        found = Scene(kubectl, llm_hpa, place, other)
        no_selector = made(
            "workload.serving.volcano.sh/v1alpha1", "ModelServing", "no-selector",
            spec={"replicas": 1, "template": {"roles": [
                {"name": "decode", "replicas": 1, "entryTemplate": {"spec": {"containers": [
                    {"name": "main", "image": "none.invalid/engine"}]}}, "workerReplicas": 0}]}},
            status={"replicas": 1, "labelSelector": ""},
        )  # fmt: skip
        stack.enter_context(guarded_prometheus(kubectl, place.namespace))
        kubectl.apply(*objects(place), *crowded(other))
        Stage(kubectl, place.namespace).put(no_selector)
        adapter.write(RULES, EXTERNAL_RULES)
        until(lambda: not unready(kubectl, place), 150, "the pods are ready")
        drive(kubectl, place)
        until(lambda: jobs(kubectl, place) >= SCRAPED, 120, "Prometheus has asked them")
        adapter.restart()
        until(lambda: adapter.lists(RUNNING) and adapter.lists(CACHE), 60, "the adapter lists the metrics")
        until(lambda: settled(kubectl, found), 120, "the controllers have looked")
        asked = {one.name: (one.name, one.asked) for one in FAULTS} | {one: (one, "") for one in HEALTHY}
        with ThreadPoolExecutor(5) as pool:
            answers = {FOUGHT: pool.submit(fought, found)}
            answers |= {
                name: pool.submit(found.ask, *words) for name, words in asked.items() if name != FOUGHT
            }
            answers[QUOTA.name] = pool.submit(found.ask, QUOTA.name, "", other)
            found.said = {name: answer.result() for name, answer in answers.items()}
        yield found


def unready(kubectl: Kubectl, place: Place) -> set[str]:
    """Deployments without a ready pod that will have one."""
    found = {one["metadata"]["name"]: one for one in kubectl.get("deploy", "-n", place.namespace)["items"]}
    ready = {name for name, one in found.items() if one.get("status", {}).get("readyReplicas")}
    return found.keys() - ready - {"starting", "asleep", "asleep-too"}


def drive(kubectl: Kubectl, place: Place) -> None:
    """What the engines of some show."""

    def show(name: str, pod: int = 0, *, absent: tuple[str, ...] = (), **values: float) -> None:
        Stub(kubectl, place.namespace, name, kind="Deployment").load(pod, absent=absent, **values)

    show("fought", running=6)
    show("nan", running=math.nan)
    show("silent", 1, absent=("running", "waiting", "kv"))


def jobs(kubectl: Kubectl, place: Place) -> set[str]:
    """The PodMonitors of which Prometheus has asked a pod."""
    query = f'count by (job) (up{{namespace="{place.namespace}"}})'
    answer = json.loads(kubectl.run("get", "--raw", f"{PROMETHEUS}?query={quote(query)}").stdout)
    return {one["metric"]["job"].rpartition("/")[2] for one in answer["data"]["result"]}


def fought(scene: Scene) -> Outcome:
    """Argo CD takes back what the HPA writes, as often as it writes it; then doctor is asked."""
    one = (f"deploy/{FOUGHT}", "-n", scene.place.namespace)
    patch = ("--type=merge", "-p", '{"spec":{"replicas":1}}', "--field-manager=argocd-controller")
    for _ in range(4):
        until(lambda: scene.kubectl.get(*one)["spec"]["replicas"] == 2, 60, "the HPA asks for two")
        scene.kubectl.run("patch", *one, *patch)
    return scene.ask(FOUGHT)


def settled(kubectl: Kubectl, scene: Scene) -> bool:
    """Whether KEDA and the controllers are where they end."""
    place = ("-n", scene.place.namespace)
    scaled = {one["metadata"]["name"]: one for one in kubectl.get("scaledobjects", *place)["items"]}
    broken = ("empty", "refused", "unreachable", "elements")
    states = {
        name: {each["type"]: each["status"] for each in (one.get("status") or {}).get("conditions") or []}
        for name, one in scaled.items()
    }
    failed = kubectl.get("events", *place, f"--field-selector=reason={FAILED}")["items"]
    quota = kubectl.get("events", "-n", scene.other.namespace, "--field-selector=reason=FailedCreate")
    deployments = {one["metadata"]["name"]: one for one in kubectl.get("deploy", *place)["items"]}
    return (
        all(states[one].get("Ready") == "False" for one in broken)
        and states["fallback"].get("Fallback") == "True"
        and {one["involvedObject"]["name"] for one in failed} >= {*broken, "fallback"}
        and deployments["asleep"]["spec"]["replicas"] == deployments["asleep-too"]["spec"]["replicas"] == 0
        and deployments["pending"]["spec"]["replicas"] == 2
        and bool(quota["items"])
    )


@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: f"{one.number}-{one.name}")
def test_the_hop_the_cause_and_the_fix(scene: Scene, fault: Fault) -> None:
    scene.check(fault, scene.said[fault.name])


def test_a_quota(scene: Scene) -> None:
    scene.check(QUOTA, scene.said[QUOTA.name])


@pytest.mark.parametrize("name", HEALTHY)
def test_no_false_alarm(scene: Scene, name: str) -> None:
    found = json.loads(scene.said[name].stdout)
    assert (scene.said[name].code, found["healthy"]) == (0, True), shown(found)
    notes = [note["code"] for one in found["hops"] for note in one["notes"]]
    assert set(notes) == ({"pods-starting"} if name == "starting" else set()), shown(found)


class TestWhatAllShare:
    """The adapter and the metrics APIs, each set up wrongly and then as it was."""

    def test_a_file_that_the_adapter_has_not_read(self, scene: Scene, adapter: SharedAdapter) -> None:
        adapter.write((rule(WAITING), rule(CACHE, query=RAW)))
        restart = "rollout restart deployment/prometheus-adapter"
        waits = Fault(21, "reverse", "name", "adapter-not-restarted", (restart,))
        lost = Fault(21, "whole", "drift", "rule-will-be-lost", ("the file",), seen=(RUNNING,))
        for fault in (waits, lost):
            scene.check(fault, scene.ask(fault.name))

    def test_a_rule_that_prometheus_refuses(self, scene: Scene, adapter: SharedAdapter) -> None:
        adapter.write((*RULES, {**rule(WAITING), "seriesQuery": '{__name__=~"["}'}))
        adapter.restart()
        fault = Fault(
            21, "whole", "name", "adapter-rule-refused", ("monitoring/prometheus-adapter",), seen=('["}',)
        )
        scene.check(fault, scene.ask("whole"))

    def test_another_address(self, scene: Scene, adapter: SharedAdapter) -> None:
        adapter.write(RULES)
        adapter.restart(url="http://prometheus.default.svc:9090")
        fault = Fault(1, "whole", "name", "adapter-wrong-address",
                      ("--prometheus-url=http://kube-prometheus-stack-prometheus.monitoring.svc:9090",
                       "monitoring/prometheus-adapter"),
                      seen=("http://prometheus.default.svc:9090",))  # fmt: skip
        scene.check(fault, scene.ask("whole"))

    def test_a_name_that_comes_and_goes(self, scene: Scene, adapter: SharedAdapter) -> None:
        adapter.write(RULES)
        adapter.restart(relist="1s", max_age="1s")
        fault = Fault(
            15, "whole", "name", "adapter-relist", ("--metrics-max-age",), seen=("after 1 s", "every 2 s")
        )
        scene.check(fault, scene.ask("whole"))

    def test_the_adapter_is_down(self, scene: Scene, adapter: SharedAdapter) -> None:
        adapter.scale(0)
        try:
            until(lambda: available(scene.kubectl, CUSTOM) == "False", 60, "the APIService says so")
            fault = Fault(6, "whole", "metrics API", "metrics-api-down",
                          ("-n monitoring", "prometheus-adapter"), seen=(CUSTOM,))  # fmt: skip
            scene.check(fault, scene.ask("whole"))
            found = json.loads(scene.ask("whole-keda").stdout)
            assert found["healthy"], shown(found)
        finally:
            adapter.write(RULES, EXTERNAL_RULES)
            adapter.scale(1)
            adapter.restart()
            until(lambda: adapter.lists(RUNNING), 60, "the adapter lists the metrics")

    def test_two_programs_serve_custom_metrics(self, scene: Scene, adapter: SharedAdapter) -> None:
        second = CUSTOM.replace("v1beta1", "v1beta2")
        with adapter.beside(second, "v1beta2"):
            until(lambda: available(scene.kubectl, second) == "True", 60, "the second one serves")
            fault = Fault(
                20, "whole", "metrics API", "two-metric-providers", (f"delete apiservice {second}",)
            )
            scene.check(fault, scene.ask("whole"))

    def test_no_program_serves_external_metrics(self, scene: Scene, adapter: SharedAdapter) -> None:
        del adapter
        with api_service_away(scene.kubectl, EXTERNAL):
            wrong = Fault(
                13, "forward", "metrics API", "adapter-wrong-list", ("a Pods metric",), seen=(RUNNING,)
            )
            scene.check(wrong, scene.ask("forward"))
        with taken_over(scene.kubectl, EXTERNAL):
            until(lambda: available(scene.kubectl, EXTERNAL) == "True", 60, "the adapter has the API")
            taken = Fault(20, "whole-keda", "metrics API", "external-api-taken", (EXTERNAL,))
            scene.check(taken, scene.ask("whole-keda"))

    def test_a_pod_without_the_metric(self, scene: Scene, adapter: SharedAdapter) -> None:
        """Last, since a young pod may lack its first sample."""
        assert adapter.lists(RUNNING)
        pods = scene.kubectl.get("pods", "-n", scene.place.namespace, "-l", "app=silent")["items"]
        newest = max(datetime.fromisoformat(one["metadata"]["creationTimestamp"][:-1]) for one in pods)
        age = datetime.now(timezone.utc) - newest.replace(tzinfo=timezone.utc)
        time.sleep(max(0.0, OLD - age.total_seconds()))
        fault = Fault(
            16, "silent", "value", "multi-node-workers", ("the leaders only",), seen=("1 of 2 running pods",)
        )
        scene.check(fault, scene.ask("silent"))


def available(kubectl: Kubectl, name: str) -> str:
    """The status of an APIService's condition Available, empty before anybody has looked."""
    found = kubectl.get("apiservice", name)
    conditions = (found.get("status") or {}).get("conditions") or []
    return next((str(one["status"]) for one in conditions if one["type"] == "Available"), "")
