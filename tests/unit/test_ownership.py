"""Giving a field back to the manager who owned it before."""

from __future__ import annotations

import copy

import pytest

from kubectl_llmhpa.api import MANAGER, Json
from kubectl_llmhpa.backends import ownership

PATH = ("f:data", "f:config.yaml")
HELM: Json = {
    "manager": "helm", "operation": "Update", "time": "2026-01-01T00:00:00Z",
    "fieldsV1": {"f:data": {".": {}, "f:config.yaml": {}}, "f:metadata": {"f:labels": {}}},
}  # fmt: skip


def config_map(*managers: Json) -> Json:
    return {"metadata": {"name": "x", "managedFields": copy.deepcopy(list(managers))}, "data": {}}


def ours(*fields: str) -> Json:
    return {
        "manager": MANAGER, "operation": "Update", "time": "2026-02-02T00:00:00Z",
        "fieldsV1": {"f:data": {name: {} for name in fields}},
    }  # fmt: skip


def stripped(entry: Json) -> Json:
    """What the API server leaves of an entry when its only field below f:data is taken by somebody else."""
    entry = copy.deepcopy(entry)
    entry["fieldsV1"]["f:data"] = {}
    return entry


def test_the_former_owner_gets_the_field_and_its_time_back() -> None:
    given = ownership.give_back(config_map(stripped(HELM), ours("f:config.yaml")), [HELM], PATH)
    assert given is not None
    assert given["metadata"]["managedFields"] == [HELM]


def test_a_manager_that_changed_since_keeps_its_other_fields() -> None:
    changed = stripped(HELM)
    changed["time"] = "2026-03-03T00:00:00Z"
    changed["fieldsV1"]["f:data"]["f:more"] = {}
    given = ownership.give_back(config_map(changed, ours("f:config.yaml")), [HELM], PATH)
    assert given is not None
    (entry,) = given["metadata"]["managedFields"]
    assert entry["time"] == "2026-03-03T00:00:00Z"
    assert entry["fieldsV1"]["f:data"] == {"f:more": {}, "f:config.yaml": {}}


def test_our_other_fields_stay_ours() -> None:
    given = ownership.give_back(config_map(ours("f:config.yaml", "f:else")), [], PATH)
    assert given is not None
    assert given["metadata"]["managedFields"] == [ours("f:else")]


def test_nothing_to_give_back() -> None:
    assert ownership.give_back(config_map(HELM), [HELM], PATH) is None


@pytest.mark.parametrize(
    ("metadata", "owner"),
    [
        ({"annotations": {"meta.helm.sh/release-name": "pa", "meta.helm.sh/release-namespace": "m"}},
         ("Helm", "release pa in m")),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "app:apps/Deployment:m/x"}},
         ("Argo CD", "application app")),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "infra"}}, ("Flux", "infra")),
        ({"labels": {"argocd.argoproj.io/instance": "app"}}, ("Argo CD", "application app")),
        ({"managedFields": [{"manager": "kustomize-controller"}]}, ("Flux", "field manager kustomize-controller")),
        ({"managedFields": [{"manager": "argocd-controller"}],
          "annotations": {"meta.helm.sh/release-name": "pa"}}, ("Argo CD", "field manager argocd-controller")),
        ({"managedFields": [{"manager": "helm"}]}, ("Helm", "field manager helm")),
        ({"managedFields": [{"manager": "argocd-controller", "subresource": "status"}]}, None),
        ({"labels": {"app": "x"}, "managedFields": [{"manager": "kubectl-edit"}]}, None),
    ],
)  # fmt: skip
def test_external_owner(metadata: Json, owner: tuple[str, str] | None) -> None:
    assert ownership.external_owner({"metadata": metadata}) == owner


def test_the_file_belongs_to_whom_its_config_map_says() -> None:
    helms = {"metadata": {"annotations": {"meta.helm.sh/release-name": "pa"}}}
    assert ownership.file_owner({"metadata": {}}, helms) is None
    assert ownership.file_owner(None, helms) == ("Helm", "release pa in ")


def test_who_wrote_the_file_last() -> None:
    assert ownership.automation(config_map(HELM), PATH) == "Helm"
    assert ownership.automation(config_map(stripped(HELM), ours("f:config.yaml")), PATH) == ""
    by_hand = {**copy.deepcopy(HELM), "manager": "kubectl-edit"}
    assert ownership.automation(config_map(by_hand), PATH) == ""
