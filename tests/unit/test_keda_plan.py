"""Whom KEDA asks and how it gets there: first run, day 2, and what is taken over."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from kubectl_llmhpa.api import Json
from kubectl_llmhpa.backends.keda import Keda
from kubectl_llmhpa.backends.model import KEDA, PROMETHEUS_ADAPTER
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.monitoring.prometheus import Server
from kubectl_llmhpa.plan.looking.targets import Target
from kubectl_llmhpa.plan.setting_up.planning import Plan
from kubectl_llmhpa.plan.wishes import Wishes
from tests.unit.test_plan import PROMETHEUS, make, stored

OUTSIDE = "https://prometheus.example.com"
SERVICE: Json = {
    "metadata": {"name": "k8s", "namespace": "monitoring"},
    "spec": {"clusterIP": "10.0.0.1", "selector": {"prometheus": "k8s"}, "ports": [{"name": "web", "port": 9090}]},
}  # fmt: skip
AROUND: dict[str, Any] = {
    "keda": Keda("keda", "2.21.0", "", True),
    "server": Server("elsewhere", "adapters", 9090),
    "services": [SERVICE],
}
FIRST = Wishes(max_replicas=5, backend=KEDA)


def plan(
    wishes: Wishes, live: Json | None = None, scraped: list[Target] | None = None, **around: Any
) -> Plan:
    scaled = [] if live is None else [live]
    return make(wishes, scraped, **{**AROUND, "scaled_objects": scaled, **around})


def addresses(made: Plan) -> set[str]:
    return {one["metadata"]["serverAddress"] for one in made.scaler.object["spec"]["triggers"]}


def by_hand(*triggers: Json) -> Json:
    """Somebody's ScaledObject for the workload."""
    made = stored(plan(FIRST).scaler.object, ours=False)
    made["spec"]["triggers"] = list(triggers)
    return made


def trigger(address: str, mode: str = "", **more: Any) -> Json:
    settings = {"authModes": mode} if mode else {}
    metadata = {"serverAddress": address, "query": "q", "threshold": "1", **settings}
    return {"type": "prometheus", "metadata": metadata, **more}


class TestAddress:
    """The Prometheus that KEDA asks."""

    def test_the_one_that_scrapes_whatever_the_adapter_asks(self) -> None:
        assert addresses(plan(FIRST)) == {"http://k8s.monitoring.svc:9090"}

    def test_the_adapters_where_no_service_leads_to_the_one_that_scrapes(self) -> None:
        assert addresses(plan(FIRST, services=[])) == {"http://adapters.elsewhere.svc:9090"}

    def test_the_adapters_where_others_scrape(self) -> None:
        made = plan(FIRST, scraped=[Target("vllm-a", "theirs", "i")])
        assert addresses(made) == {"http://adapters.elsewhere.svc:9090"}


class TestDayTwo:
    """How KEDA reaches Prometheus stays, as far as no flag speaks of it."""

    def second(self, wishes: Wishes, **first: Any) -> Plan:
        return plan(wishes, stored(plan(Wishes(max_replicas=5, backend=KEDA, **first)).scaler.object))

    def test_address_certificate_and_login_stay(self) -> None:
        first = {"prometheus_url": OUTSIDE, "unsafe_ssl": True, "token_secret": ("token", "key")}
        before = plan(Wishes(max_replicas=5, backend=KEDA, **first)).scaler.object  # type: ignore[arg-type]
        made = self.second(Wishes(), **first)
        assert made.scaler.object["spec"] == before["spec"]
        assert f"kept the address that KEDA asks ({OUTSIDE})" in " ".join(made.notes)

    def test_a_flag_changes_what_it_names(self) -> None:
        made = self.second(Wishes(prometheus_url="https://new"), prometheus_url=OUTSIDE, unsafe_ssl=True)
        assert addresses(made) == {"https://new"}
        assert {one["metadata"]["unsafeSsl"] for one in made.scaler.object["spec"]["triggers"]} == {"true"}

    def test_defaults_come_back_with_the_login_left(self) -> None:
        made = self.second(
            Wishes(reset_defaults=True), prometheus_url=OUTSIDE, unsafe_ssl=True, token_secret=("a", "b")
        )
        assert addresses(made) == {"http://k8s.monitoring.svc:9090"}
        for one in made.scaler.object["spec"]["triggers"]:
            assert one["metadata"]["authModes"] == "bearer"
            assert one["authenticationRef"] == {"name": "vllm"}
            assert "unsafeSsl" not in one["metadata"]

    def test_a_target_for_what_the_engine_does_not_show_now_is_no_reason_to_drop_it(self) -> None:
        live = stored(plan(FIRST).scaler.object)
        live["spec"]["triggers"][0]["name"] = "gone"
        with pytest.raises(LlmHpaError, match="scales by gone, and the engine does not show that now"):
            plan(Wishes(), live)
        assert len(plan(Wishes(reset_defaults=True), live).scaler.object["spec"]["triggers"]) == 3

    @pytest.mark.parametrize("behavior", [{}, {"scaleUp": {"selectPolicy": "Min"}}, {"scaleDown": None}])
    def test_a_window_for_a_behavior_without_scale_down(self, behavior: Json) -> None:
        live = stored(plan(FIRST).scaler.object)
        live["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] = behavior
        made = plan(Wishes(scale_down_window=60, scale_down=False), live).scaler.object
        down = made["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
        assert (down["stabilizationWindowSeconds"], down["selectPolicy"]) == (60, "Disabled")


class TestAdopted:
    """A ScaledObject that somebody made by hand."""

    adopt = Wishes(adopt=True, max_replicas=3, backend=KEDA)

    def test_its_login_stays_with_its_address(self) -> None:
        login = {"name": "theirs", "kind": "ClusterTriggerAuthentication"}
        made = plan(self.adopt, by_hand(trigger(OUTSIDE, "basic", authenticationRef=login)))
        for one in made.scaler.object["spec"]["triggers"]:
            assert (one["authenticationRef"], one["metadata"]["authModes"]) == (login, "basic")
        assert addresses(made) == {OUTSIDE}
        assert made.scaler.authentication is None

    def test_a_flag_puts_another_login_in_its_place(self) -> None:
        wishes = Wishes(adopt=True, max_replicas=3, backend=KEDA, token_secret=("token", "key"))
        made = plan(wishes, by_hand(trigger(OUTSIDE, "basic", authenticationRef={"name": "theirs"})))
        for one in made.scaler.object["spec"]["triggers"]:
            assert (one["authenticationRef"], one["metadata"]["authModes"]) == ({"name": "vllm"}, "bearer")

    def test_an_address_alone_follows_who_scrapes(self) -> None:
        assert addresses(plan(self.adopt, by_hand(trigger(OUTSIDE)))) == {"http://k8s.monitoring.svc:9090"}

    def test_triggers_with_different_logins_are_refused(self) -> None:
        triggers = [trigger(OUTSIDE, "basic", authenticationRef={"name": name}) for name in ("a", "b")]
        with pytest.raises(LlmHpaError, match="in different ways"):
            plan(self.adopt, by_hand(*triggers))


class TestAdaptersPrometheus:
    """With the metric adapter, the Prometheus that scrapes has to be the one that the adapter asks."""

    wishes = Wishes(max_replicas=3, backend=PROMETHEUS_ADAPTER)

    def pods(self, **labels: str) -> dict[str, Any]:
        """The adapter's Prometheus, by the labels that its Service selects."""
        chosen = {"app.kubernetes.io/name": "prometheus", **labels}
        return {"server": Server("monitoring", "other", 9090), "server_pods": chosen}

    def test_another_one_is_refused(self) -> None:
        with pytest.raises(LlmHpaError, match=r"monitoring/other, which is another one.*--backend keda"):
            make(self.wishes, **self.pods(prometheus="other"))

    def test_the_same_one(self) -> None:
        assert make(self.wishes, **self.pods(prometheus="k8s")).scrape.object is not None

    def test_what_may_join_several_is_none(self) -> None:
        thanos = {"app.kubernetes.io/name": "thanos-query"}
        assert make(self.wishes, **self.pods(**thanos)).scrape.object is not None

    def test_nor_is_one_that_samples_are_sent_to(self) -> None:
        sends = copy.deepcopy(PROMETHEUS)
        sends["spec"]["remoteWrite"] = [{"url": "http://other.monitoring/api/v1/write"}]
        assert (
            make(self.wishes, prometheuses=[sends], **self.pods(prometheus="other")).scrape.object is not None
        )
