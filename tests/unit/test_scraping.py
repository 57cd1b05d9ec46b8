"""Who scrapes a workload: somebody already, seen or told, or an object of ours, and what has to be said with it."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from kubectl_llmhpa.api import MANAGER, Json
from kubectl_llmhpa.backends.series_labels import SeriesLabels
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.monitoring.prometheus import Sample
from kubectl_llmhpa.monitoring.scene import Scene
from kubectl_llmhpa.plan.looking import targets
from kubectl_llmhpa.plan.looking.targets import Target
from kubectl_llmhpa.plan.setting_up import scraping
from kubectl_llmhpa.plan.setting_up.scraping import Scrape
from tests.unit.test_plan import PROMETHEUS, WORKLOAD, sight, stored, surroundings

OURS = "llm-hpa-deployment-vllm"
OUR_JOB = f"ml/{OURS}"


def scrape(
    scraped: list[Target] | None = None,
    *,
    annotations: Json | None = None,
    around: Json | None = None,
    **flags: Any,
) -> Scrape:
    seen = sight()
    pod = {**seen.pod, "metadata": {**seen.pod["metadata"], "annotations": annotations or {}}}
    return scraping.monitor(
        WORKLOAD, replace(seen, pod=pod), surroundings(**(around or {})), scraped, **flags
    )


def by_hand(name: str = "theirs", *, labels: Json | None = None, **endpoint: Any) -> Json:
    return {
        "metadata": {"name": name, "namespace": "ml", "labels": {"release": "kps"} if labels is None else labels},
        "spec": {"selector": {"matchLabels": {"app": "vllm"}}, "podMetricsEndpoints": [{"port": "http", **endpoint}]},
    }  # fmt: skip


class TestReuse:
    """Nothing is written when somebody scrapes the pods."""

    def test_a_target_of_somebodys_job(self) -> None:
        found = scrape([Target("vllm-a", "kubernetes-pods", "10.0.0.7:8000")])
        assert (found.object, found.by) == (None, "the scrape job kubernetes-pods")
        named = scrape([Target("vllm-a", "ml/theirs", "x")], around={"pod_monitors": [by_hand()]})
        assert (named.object, named.by, named.job) == (None, "podmonitor theirs", "ml/theirs")

    def test_what_our_own_object_brought_is_not_somebodys(self) -> None:
        """Prometheus shows it for a while after `disable` removed it."""
        assert scrape([Target("vllm-a", OUR_JOB, "10.0.0.7:8000")]).object is not None

    def test_the_labels_are_those_of_the_series(self) -> None:
        pair = SeriesLabels("pod_namespace", "pod_name")
        found = scrape([Target("vllm-a", "j", "i", pair)])
        assert (found.pod_label, found.namespace_label) == ("pod_name", "pod_namespace")

    @pytest.mark.parametrize(
        ("monitor", "reused"),
        [
            (by_hand(), True),
            (by_hand(path="/metrics"), True),
            (by_hand(path="/other"), False),
            (by_hand(port=None, portNumber=8000), True),
            (by_hand(port="8000"), False),
            (by_hand(port="sidecar"), False),
            (by_hand(labels={}), False),
            (by_hand(interval="5s", scrapeTimeout="9s"), False),
        ],
    )
    def test_a_pod_monitor_tells_where_prometheus_cannot_be_asked(self, monitor: Json, reused: bool) -> None:
        found = scrape(None, around={"pod_monitors": [monitor]})
        assert (found.object is None) is reused
        assert scrape([], around={"pod_monitors": [monitor]}).object is not None

    def test_none_writes_nothing(self) -> None:
        found = scrape([], scrape="none")
        assert (found.object, found.by) == (None, "somebody else (--scrape none)")


@pytest.mark.parametrize(("interval", "seconds"), [("", 180), ("1s", 15), ("5s", 15), ("1m30s", 270)])
def test_a_sample_is_fresh_for_three_scrapes(interval: str, seconds: float) -> None:
    assert replace(scrape(), interval=interval).fresh == seconds


def test_the_interval_of_ours_is_known() -> None:
    assert scrape().interval == "5s"


class TestTwice:
    """Several jobs that scrape one pod."""

    def test_ours_beside_somebodys(self) -> None:
        first = scrape()
        both = [
            Target("vllm-a", OUR_JOB, "i"),
            Target("vllm-a", "theirs", "i"),
            Target("vllm-b", OUR_JOB, "i"),
        ]
        found = scrape(both, around={"pod_monitors": [stored(first.object or {})]})
        assert [one.code for one in found.findings] == ["two-targets"]
        assert f"pod vllm-a is scraped by the jobs {OUR_JOB} (ours) and theirs" in str(found.findings[0])
        alone = scrape(both[:1], around={"pod_monitors": [stored(first.object or {})]})
        assert alone.findings == ()

    def test_two_of_others(self) -> None:
        found = scrape([Target("vllm-a", "a", "i"), Target("vllm-a", "b", "i")])
        assert (found.object, [one.code for one in found.findings]) == (None, ["two-targets"])
        assert "the scrape job a and the scrape job b" in found.by

    def test_two_ports_of_one_job_are_none(self) -> None:
        assert scrape([Target("vllm-a", "a", "i:1"), Target("vllm-a", "a", "i:2")]).findings == ()


class TestRights:
    """The right of Prometheus' ServiceAccount to find the pods."""

    def findings(self, may_list: dict[str, bool | None]) -> list[str]:
        prometheus = copy.deepcopy(PROMETHEUS)
        prometheus["spec"]["serviceAccountName"] = "prometheus-k8s"
        around = {"scene": Scene(may_list=may_list), "prometheuses": [prometheus]}
        return [str(one) for one in scrape(around=around).findings]

    def test_a_right_that_is_missing_is_named_with_its_commands(self) -> None:
        (said,) = self.findings({"monitoring/prometheus-k8s": False})
        assert "[prometheus-may-not-list-pods]" in said
        assert (
            "kubectl -n ml create role k8s-monitoring-discovery --verb=get,list,watch --resource=pods && "
            in said
        )
        assert "--role=k8s-monitoring-discovery --serviceaccount=monitoring:prometheus-k8s" in said

    def test_pods_that_are_scraped_already_prove_the_right(self) -> None:
        around = {"scene": Scene(may_list={"monitoring/default": False})}
        assert [one.code for one in scrape(around=around).findings] == ["prometheus-may-not-list-pods"]
        assert scrape([Target("vllm-a", OUR_JOB, "i")], around=around).findings == ()

    def test_what_is_given_or_was_not_asked_is_not_said(self) -> None:
        assert self.findings({"monitoring/prometheus-k8s": True}) == []
        assert self.findings({"monitoring/other": False}) == []

    def test_what_cannot_be_known_is_said(self) -> None:
        (said,) = self.findings({"monitoring/prometheus-k8s": None})
        assert "[not-checked]" in said


class TestScrapers:
    """Which scraper is written for."""

    google = Scene(groups=frozenset({"monitoring.googleapis.com"}))

    def test_what_is_here(self) -> None:
        found = scrape(around={"prometheuses": [], "scene": self.google})
        assert (found.scraper, found.resource.kind, found.job) == ("google", "PodMonitoring", OURS)
        assert found.reason == "the API server has monitoring.googleapis.com"
        assert found.selection is None
        assert any("10 minutes" in one for one in found.notes)

    def test_what_is_asked_for(self) -> None:
        found = scrape(scrape="arms")
        assert (found.scraper, found.job, found.reason) == ("arms", OUR_JOB, "it was asked for")
        assert found.object is not None
        assert found.object["metadata"]["annotations"]["arms.prometheus.io/discovery"] == "true"

    def test_a_second_run_keeps_the_scraper_and_what_others_added(self) -> None:
        first = scrape(scrape="arms").object
        assert first is not None
        live = stored(first)
        added = {"action": "labeldrop", "regex": "x"}
        live["spec"]["podMetricsEndpoints"][0]["relabelings"].append(added)
        live["spec"]["podMetricsEndpoints"][0]["honorLabels"] = True
        second = scrape([], around={"pod_monitors": [live]})
        assert (second.scraper, second.reason) == ("arms", "an earlier run set it up")
        assert second.object is not None
        assert second.object["spec"] == live["spec"]
        assert scrape([], around={"pod_monitors": [live]}, reset=True).object == first

    def test_ours_of_another_kind_is_found(self) -> None:
        around = {"prometheuses": [PROMETHEUS], "scene": self.google}
        first = scrape(around=around, scrape="google").object
        assert first is not None
        scene = replace(self.google, scrape_objects=[stored(first)])
        second = scrape([Target("vllm-a", OURS, "vllm-a:http")], around={**around, "scene": scene})
        assert (second.scraper, second.object) == ("google", first)
        with pytest.raises(LlmHpaError, match="kubectl llm-hpa disable Deployment/vllm"):
            scrape([], around={**around, "scene": scene}, scrape="prometheus-operator")

    def test_an_agent_cannot_be_asked(self) -> None:
        agent = {**copy.deepcopy(PROMETHEUS), "kind": "PrometheusAgent"}
        agent["spec"]["remoteWrite"] = [{"url": "http://mimir.example/push"}]
        found = scrape(around={"prometheuses": [], "scene": Scene(agents=[agent])})
        assert (found.by, found.selection) == ("prometheusagent monitoring/k8s", None)
        assert any("mimir.example" in one and "--prometheus-url" in one for one in found.notes)
        assert found.object is not None
        assert found.object["metadata"]["labels"]["release"] == "kps"

    def test_annotations_are_seen_and_left_alone(self) -> None:
        marks = {"prometheus.io/scrape": "true", "prometheus.io/port": "8000"}
        (said,) = scrape(annotations=marks).notes
        assert "prometheus.io/scrape on port 8000" in said
        assert scrape(annotations={"prometheus.io/scrape": "false"}).notes == ()
        assert scrape([Target("vllm-a", "kubernetes-pods", "i")], annotations=marks).notes == (said,)

    def test_ours_that_the_operator_would_skip(self) -> None:
        first = scrape().object
        assert first is not None
        live = stored(first)
        live["spec"]["podMetricsEndpoints"][0]["metricRelabelings"] = [{"action": "keep", "regex": "(x"}]
        with pytest.raises(LlmHpaError, match="--reset-defaults"):
            scrape([], around={"pod_monitors": [live]})
        assert scrape([], around={"pod_monitors": [live]}, reset=True).object == first


class TestTargets:
    """Targets out of the answer of Prometheus."""

    pods: tuple[Json, ...] = (
        {"metadata": {"name": "vllm-a", "namespace": "ml"}, "status": {"podIP": "10.0.0.7"}},
        {"metadata": {"name": "vllm-b", "namespace": "ml"}, "status": {"podIP": "fd00::7"}},
        {"metadata": {"name": "vllm-c", "namespace": "ml"}},
    )

    def found(self, *labels: dict[str, str]) -> list[Target]:
        return targets.of([Sample(one, 1.0) for one in labels], self.pods, 8000)

    def test_a_series_and_its_target_are_one(self) -> None:
        where = {"job": "j", "instance": "10.0.0.7:8000", "namespace": "ml", "pod": "vllm-a"}
        assert self.found(where, {**where, "container": "x"}) == [Target("vllm-a", "j", "10.0.0.7:8000")]

    def test_a_pod_of_the_same_name_elsewhere_is_none(self) -> None:
        assert (
            self.found({"job": "j", "instance": "9.9.9.9:8000", "namespace": "other", "pod": "vllm-a"}) == []
        )

    def test_an_address_tells_whatever_the_labels(self) -> None:
        six = "[fd00::7]:8000"
        assert self.found({"job": "j", "instance": six}) == [Target("vllm-b", "j", six)]
        assert self.found({"job": "j", "instance": "10.0.0.7:9000"}) == []

    def test_other_names_of_the_labels(self) -> None:
        (one,) = self.found({"job": "j", "instance": "i", "pod_namespace": "ml", "pod_name": "vllm-c"})
        assert one.labels == SeriesLabels("pod_namespace", "pod_name")

    def test_the_question_names_the_pods_and_addresses(self) -> None:
        asked = targets.question(self.pods, 8000, "vllm:num_requests_waiting")
        assert r'up{instance=~"10\\.0\\.0\\.7:8000|\\[fd00::7\\]:8000"} == 1' in asked
        assert '{__name__="vllm:num_requests_waiting",pod_name=~"vllm\\\\-a|vllm\\\\-b|vllm\\\\-c"}' in asked
        assert MANAGER not in asked
