"""What `enable` writes follows from what is there and what is wished: first run, day 2, rivals, rules."""

from __future__ import annotations

import copy
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubectl_llmhpa import engines
from kubectl_llmhpa.api import DEPLOYMENTS, HPAS, MANAGED_BY, MANAGER, Json
from kubectl_llmhpa.backends.prometheus_adapter import Adapter
from kubectl_llmhpa.cli.main import unfolded, wants_traceback
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.plan.journal import Journal, Owned
from kubectl_llmhpa.plan.looking.look import Surroundings
from kubectl_llmhpa.plan.looking.sight import EngineSight
from kubectl_llmhpa.plan.looking.targets import Target
from kubectl_llmhpa.plan.setting_up import planning, rivals
from kubectl_llmhpa.plan.setting_up.planning import Plan
from kubectl_llmhpa.plan.wishes import Wishes
from kubectl_llmhpa.workloads import Rival, Workload, gpu_requests

RUNNING, WAITING, CACHE = "vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc"
COMMAND = ["vllm", "serve", "m", "--max-num-seqs", "8"]
OBJECT: Json = {"metadata": {"name": "vllm"}, "spec": {"selector": {"matchLabels": {"app": "vllm"}}}}
WORKLOAD = Workload(DEPLOYMENTS, "ml", "vllm", OBJECT, 1, "app=vllm")
PROMETHEUS: Json = {
    "metadata": {"name": "k8s", "namespace": "monitoring"},
    "spec": {"podMonitorSelector": {"matchLabels": {"release": "kps"}}, "podMonitorNamespaceSelector": {}},
}


def sight() -> EngineSight:
    body = (Path(__file__).parents[1] / "bodies" / "vllm-0.20.2-busy.txt").read_text()
    container: Json = {"name": "vllm", "command": COMMAND, "ports": [{"containerPort": 8000, "name": "http"}]}
    pod: Json = {
        "metadata": {"name": "vllm-a", "labels": {"app": "vllm"}},
        "spec": {"containers": [container]},
    }
    facts = engines.identify(body, engines.clues(COMMAND))
    return EngineSight(pod, container, 8000, "/metrics", body, facts)


def surroundings(**changed: Any) -> Surroundings:
    deployment = {"metadata": {"name": "pa", "namespace": "monitoring"}}
    facts: dict[str, Any] = {
        "namespace_labels": {}, "hpas": [], "scaled_objects": [], "pod_monitors": [], "prometheuses": [PROMETHEUS],
        "journal": None, "adapter": Adapter("v1beta1", deployment, "pa", "config.yaml", "", 60, 60),
        "served": frozenset(), "rules": (), "recorded": {}, "server": None, "server_pods": {}, "blind": None,
    }  # fmt: skip
    return Surroundings(**{**facts, **changed})


def make(wishes: Wishes, scraped: list[Target] | None = None, **around: Any) -> Plan:
    return planning.make(WORKLOAD, sight(), surroundings(**around), wishes, scraped)


def stored(obj: Json, *, uid: str = "1", ours: bool = True) -> Json:
    """As the API server would give it back."""
    result = copy.deepcopy(obj)
    result["metadata"] |= {"uid": uid, "managedFields": [{"manager": MANAGER if ours else "kubectl"}]}
    if not ours:
        del result["metadata"]["labels"][MANAGED_BY]
    return result


def targets(plan: Plan) -> dict[str, str]:
    return {
        one["pods"]["metric"]["name"]: one["pods"]["target"]["averageValue"]
        for one in plan.scaler.object["spec"]["metrics"]
    }


def test_a_first_run() -> None:
    plan = make(Wishes(max_replicas=3))
    assert targets(plan) == {RUNNING: "4", WAITING: "2", CACHE: "800m"}
    assert plan.scrape.object is not None
    assert plan.scrape.object["metadata"]["labels"]["release"] == "kps"
    assert plan.scrape.object["spec"]["podMetricsEndpoints"] == [
        {"port": "http", "path": "/metrics", "interval": "5s", "scrapeTimeout": "4s"}
    ]
    assert plan.rules.keys() == {RUNNING, WAITING, CACHE}


class TestDayTwo:
    """The second run on what the first wrote, others' edits included."""

    first = make(
        Wishes(min_replicas=2, max_replicas=5, targets={"running": Decimal(3)}, scrape_interval="7s")
    )

    def again(self, wishes: Wishes, hpa: Json | None = None, monitor: Json | None = None) -> Plan:
        return make(
            wishes,
            hpas=[stored(hpa or self.first.scaler.object)],
            pod_monitors=[stored(monitor or self.first.scrape.object or {})],
            journal=self.first.journal,
        )

    def test_nothing_changes_without_flags(self) -> None:
        second = self.again(Wishes())
        assert (second.scaler.object, second.scrape.object) == (
            self.first.scaler.object,
            self.first.scrape.object,
        )
        (note,) = second.notes
        assert "--reset-defaults" in note
        assert f"{RUNNING} 4" in note

    def test_a_flag_changes_only_what_it_names(self) -> None:
        second = self.again(Wishes(max_replicas=6, scale_down_window=60))
        spec = copy.deepcopy(self.first.scaler.object["spec"])
        spec["maxReplicas"] = 6
        spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] = 60
        assert second.scaler.object["spec"] == spec
        assert second.scrape.object == self.first.scrape.object

    def test_edits_by_hand_stay(self) -> None:
        edited = copy.deepcopy(self.first.scaler.object)
        edited["spec"]["behavior"]["scaleUp"]["stabilizationWindowSeconds"] = 30
        monitor = copy.deepcopy(self.first.scrape.object)
        assert monitor is not None
        monitor["spec"]["podMetricsEndpoints"][0]["relabelings"] = [{"action": "labeldrop", "regex": "x"}]
        monitor["spec"]["podMetricsEndpoints"].append({"port": "other"})
        second = self.again(Wishes(), edited, monitor)
        assert second.scaler.object["spec"] == edited["spec"]
        assert any("kept the live behavior" in note for note in second.notes)
        assert second.scrape.object is not None
        assert second.scrape.object["spec"] == monitor["spec"]
        faster = self.again(Wishes(scrape_interval="3s"), edited, monitor).scrape.object
        assert faster is not None
        assert faster["spec"]["podMetricsEndpoints"][0] == {
            **monitor["spec"]["podMetricsEndpoints"][0], "interval": "3s", "scrapeTimeout": "2s",
        }  # fmt: skip

    def test_defaults_come_back_on_request(self) -> None:
        second = self.again(Wishes(reset_defaults=True))
        assert targets(second).keys() == {RUNNING, WAITING, CACHE}
        assert (second.scaler.object["spec"]["minReplicas"], second.scaler.object["spec"]["maxReplicas"]) == (
            2,
            5,
        )
        assert second.scrape.object is not None
        assert second.scrape.object["spec"]["podMetricsEndpoints"][0]["interval"] == "5s"
        assert second.notes == ()


class TestRivals:
    """Other autoscalers of the workload."""

    by_hand = stored(make(Wishes(max_replicas=4)).scaler.object, uid="hand", ours=False)

    def test_one_made_by_hand_is_taken_over_only_on_request(self) -> None:
        with pytest.raises(LlmHpaError, match="--adopt"):
            make(Wishes(max_replicas=3), hpas=[self.by_hand])
        plan = make(Wishes(adopt=True), hpas=[self.by_hand])
        assert plan.journal.adopted == self.by_hand
        assert plan.scaler.object["spec"]["maxReplicas"] == 4

    def test_a_run_that_was_killed_goes_on(self) -> None:
        book = Journal((Owned.of(HPAS, "vllm"),), adopted=self.by_hand)
        half_back = {**self.by_hand, "spec": {**self.by_hand["spec"], "maxReplicas": 9}}
        assert make(Wishes(), hpas=[half_back], journal=book).journal.adopted == self.by_hand

    @pytest.mark.parametrize(
        "book",
        [
            Journal((Owned.of(HPAS, "vllm"),)),
            Journal((Owned.of(HPAS, "vllm"),), adopted=stored(by_hand, uid="older")),
        ],
    )
    def test_one_made_by_hand_in_the_place_of_ours_is_not_ours(self, book: Journal) -> None:
        with pytest.raises(LlmHpaError, match="--adopt"):
            make(Wishes(), hpas=[self.by_hand], journal=book)
        assert make(Wishes(adopt=True), hpas=[self.by_hand], journal=book).journal.adopted == self.by_hand

    def test_a_controller_that_sets_the_replicas(self) -> None:
        rival = Rival(
            "KServe makes an HPA of its own for it", "set autoscalerClass: external", "kubectl patch ..."
        )
        with pytest.raises(LlmHpaError, match="HPA of its own for it; set autoscalerClass") as caught:
            rivals.check(replace(WORKLOAD, rival=rival), surroundings(), Wishes())
        assert caught.value.detail == "kubectl patch ..."

    def test_a_selector_that_counts_several_pods_a_replica(self) -> None:
        with pytest.raises(LlmHpaError, match="2 times the replicas"):
            planning.make(
                replace(WORKLOAD, counted_per_replica=2),
                sight(),
                surroundings(),
                Wishes(max_replicas=3),
                None,
            )


class TestRules:
    """Which rules the adapter's file gets."""

    def rules(self, **around: Any) -> set[str]:
        return set(make(Wishes(max_replicas=3), **around).rules)

    def test_none_for_a_name_that_is_served(self) -> None:
        assert self.rules(served=frozenset({f"pods/{RUNNING}"})) == {WAITING, CACHE}

    def test_none_for_a_name_that_somebodys_rule_will_serve(self) -> None:
        theirs = {"seriesQuery": f'{RUNNING}{{pod!=""}}', "metricsQuery": "avg(<<.Series>>)"}
        assert self.rules(rules=(theirs,)) == {WAITING, CACHE}

    def test_ours_once_more_until_they_are_served(self) -> None:
        """The file has them, and the adapter was not restarted yet."""
        ours = make(Wishes(max_replicas=3)).rules
        assert self.rules(rules=tuple(ours.values()), recorded=ours) == set(ours)

    def test_ours_that_the_file_has_lost(self) -> None:
        """A Helm upgrade wrote the file anew; the running adapter has not read it."""
        ours = make(Wishes(max_replicas=3)).rules
        served = frozenset(f"pods/{name}" for name in ours)
        assert self.rules(served=served, recorded=ours) == set(ours)
        assert self.rules(served=served, recorded=ours, rules=tuple(ours.values())) == set()

    def test_ours_of_another_version_are_rewritten_when_defaults_are_asked_for(self) -> None:
        ours = make(Wishes(max_replicas=3)).rules
        old = {name: {**rule, "metricsQuery": "avg(<<.Series>>)"} for name, rule in ours.items()}
        recorded = {**ours, CACHE: old[CACHE]}
        around: dict[str, Any] = {"recorded": recorded, "rules": tuple(recorded.values())}
        served = frozenset(f"pods/{name}" for name in ours)
        assert self.rules(served=served, **around) == set()
        again = make(Wishes(max_replicas=3, reset_defaults=True), served=served, **around)
        assert again.rules == {CACHE: ours[CACHE]}

    def test_a_reverted_file_gets_a_fragment_to_copy(self) -> None:
        around = surroundings(file_owner=("Argo CD", "application metrics"))
        with pytest.raises(LlmHpaError, match="Argo CD") as failure:
            planning.make(WORKLOAD, sight(), around, Wishes(max_replicas=3), None)
        assert "\n" not in str(failure.value)
        assert yaml.safe_load(failure.value.detail)["rules"]["custom"]


def test_pods_that_somebody_scrapes_get_no_pod_monitor_and_ignored_flags_are_named() -> None:
    theirs = {"metadata": {"name": "theirs"}, "spec": {"selector": {"matchLabels": {"app": "vllm"}}}}
    plan = make(
        Wishes(max_replicas=3, scrape_interval="7s"), [Target("vllm-a", "ml/theirs", "10.0.0.7:8000")],
        served=frozenset({f"pods/{name}" for name in (RUNNING, WAITING, CACHE)}), pod_monitors=[theirs],
    )  # fmt: skip
    assert plan.scrape.object is None
    assert plan.notes == (
        "--scrape-interval: not applied, the pods are scraped already by podmonitor theirs, which is not ours",
    )


def test_a_gpu_limit_of_zero_asks_for_none() -> None:
    limits = {"nvidia.com/gpu": "0", "amd.com/gpu": "2", "cpu": "4"}
    assert gpu_requests({"resources": {"limits": limits}}) == {"amd.com/gpu": Decimal(2)}


def test_kubectls_spelling_of_short_flags() -> None:
    words = ["status", "-o=yaml", "-n=ml", "-v=8", "--name=a=b", "sts/x"]
    assert unfolded(words) == ["status", "-o", "yaml", "-n", "ml", "-v", "8", "--name=a=b", "sts/x"]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [(["-v", "8"], True), (["-v8"], True), (["--v=9"], True), (["-v", "7"], False), (["-n", "8"], False)],
)
def test_who_wants_a_traceback(words: list[str], wanted: bool) -> None:
    assert wants_traceback(words) is wanted
