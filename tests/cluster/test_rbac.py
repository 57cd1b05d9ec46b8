"""The printed roles are enough for every command, and none of their rights is there for nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import pytest

from kubectl_llmhpa.api import (
    HPAS,
    NODES,
    POD_MONITORS,
    SCALED_OBJECTS,
    TRIGGER_AUTHENTICATIONS,
)
from kubectl_llmhpa.backends.model import KEDA, PROMETHEUS_ADAPTER
from kubectl_llmhpa.backends.prometheus_adapter import Adapter
from kubectl_llmhpa.errors import ApiError, LlmHpaError
from kubectl_llmhpa.kube import Cluster, Connection
from kubectl_llmhpa.plan.permissions import rights, roles
from kubectl_llmhpa.plan.permissions.rights_table import WORKLOAD
from kubectl_llmhpa.plan.permitted import Right
from kubectl_llmhpa.plan.wishes import PARTS
from tests.cluster import undone
from tests.cluster.conftest import ADAPTER, Json, Kubectl, Plugin, fresh_namespace
from tests.cluster.recorder import recording, refused, run
from tests.cluster.robots import clear, robot
from tests.cluster.stub_workload import Stub

HEAD = {"apiVersion": f"{roles.GROUP}/v1"}
#: Not used in every run: the benchmark's Job is read while it has made no pod; a move finds the scrape object there
#: already, and makes an HPA only to take one back that somebody deleted meanwhile; without rules of ours anywhere
#: nobody has to be looked for who uses them.
RARE = {
    KEDA: (
        "list horizontalpodautoscalers.autoscaling", "get configmaps",
        "update triggerauthentications.keda.sh", "update scaledobjects.keda.sh",
    ),
    "bench": ("get jobs.batch",),
    "migrate": (
        "create horizontalpodautoscalers", *(f"{verb} podmonitors" for verb in ("get", "create", "update", "delete")),
    ),
}  # fmt: skip
ATTEMPT, REMEDY = "enable autoscaling of Deployment/x", "kubectl llm-hpa rbac --for enable"


def adapter_in(namespace: str) -> Adapter:
    deployment = {"metadata": {"name": "adapter", "namespace": namespace}, "spec": {}}
    return Adapter("v1beta1", deployment, "rules", "config.yaml", "", relist=60, max_age=60)


def needed_in(team: str, platform: str, backend: str) -> tuple[Right, ...]:
    """All that a run of `enable` needs in the namespaces of a workload and of the adapter."""
    flags = () if backend == PROMETHEUS_ADAPTER else ("--prometheus-token-secret",)
    return rights.for_enable(
        team, parts=PARTS, backend=backend, adapter=adapter_in(platform), metric="vllm:x", flags=flags
    )


#: The cases of the parametrised test: the rows are the same in all namespaces.
EACH = [
    pytest.param(backend, number, id=f"{backend}: {right}".replace('"', ""))
    for backend in (PROMETHEUS_ADAPTER, KEDA)
    for number, right in enumerate(needed_in("team", "platform", backend))
]


def given(user: str, granted: Iterable[Right]) -> list[Json]:
    """Roles with exactly these rights, bound to a user."""
    rules: dict[str, list[Json]] = {}
    for one in granted:
        rules.setdefault(one.namespace, []).append({
            "verbs": [one.verb], "apiGroups": [one.group],
            "resources": [f"{one.resource}/{one.subresource}" if one.subresource else one.resource],
            **({"resourceNames": [one.name]} if one.name else {}),
        })  # fmt: skip
    reference = {"apiGroup": roles.GROUP, "kind": "Role", "name": user}
    subjects = [{"apiGroup": roles.GROUP, "kind": "User", "name": user}]
    objects = []
    for namespace, several in rules.items():
        meta = {"name": user, "namespace": namespace}
        objects += [
            {**HEAD, "kind": "Role", "metadata": meta, "rules": several},
            {**HEAD, "kind": "RoleBinding", "metadata": meta, "roleRef": reference, "subjects": subjects},
        ]
    return objects


@pytest.fixture(scope="module")
def places(kubectl: Kubectl) -> Iterator[tuple[str, str]]:
    """Two namespaces with a user for each right, who has all the others."""
    with fresh_namespace(kubectl) as team, fresh_namespace(kubectl) as platform:
        objects = []
        for backend in (PROMETHEUS_ADAPTER, KEDA):
            wanted = needed_in(team, platform, backend)
            for number, right in enumerate(wanted):
                objects += given(f"{backend}-{number}-{team}", [one for one in wanted if one != right])
        kubectl.apply(*objects)
        yield team, platform


@pytest.mark.control_plane
@pytest.mark.parametrize(("backend", "number"), EACH)
def test_one_right_less_stops_enable_and_is_named(places: tuple[str, str], backend: str, number: int) -> None:
    team, platform = places
    wanted = needed_in(team, platform, backend)
    with Cluster(Connection({"as": f"{backend}-{number}-{team}"}, team), read_only=False) as cluster:
        assert rights.missing(cluster, wanted) == (wanted[number],)
        with pytest.raises(LlmHpaError) as caught:
            rights.require(cluster, wanted, ATTEMPT, REMEDY)
    assert (
        str(caught.value)
        == f"{ATTEMPT}: you may not {wanted[number]}; an administrator grants it by: {REMEDY}"
    )


@pytest.mark.control_plane
def test_an_administrator_lacks_nothing(namespace: str) -> None:
    with Cluster(Connection({}, namespace), read_only=False) as cluster:
        wanted = [
            right for one in (PROMETHEUS_ADAPTER, KEDA) for right in needed_in(namespace, namespace, one)
        ]
        everywhere = [replace(one, namespace="") for one in wanted]
        assert rights.missing(cluster, [*wanted, *everywhere]) == ()


@pytest.mark.control_plane
def test_rights_of_one_namespace_are_not_those_of_all(kubectl: Kubectl, namespace: str) -> None:
    right = Right("list", "autoscaling", "horizontalpodautoscalers", "", namespace)
    kubectl.apply(*given(f"u-{namespace}", [right]))
    with Cluster(Connection({"as": f"u-{namespace}"}, namespace), read_only=False) as cluster:
        anywhere = replace(right, namespace="")
        assert rights.missing(cluster, [right, anywhere]) == (anywhere,)


@pytest.mark.control_plane
def test_printed_roles_are_what_the_table_says(kubectl: Kubectl, llm_hpa: Plugin, namespace: str) -> None:
    """Applied as printed, and every right asked for as `kubectl auth can-i` does."""
    user = robot(kubectl, llm_hpa, namespace, "--for", "enable", "--for", "status", "--required")
    scene = rights.Scene({WORKLOAD: namespace}, metric="vllm:x")
    wanted = [
        right
        for one in rights.select(scene, ("enable", "status"))
        if one.row.need == "" and one.row.place == WORKLOAD
        for right in one.rights
    ]
    with Cluster(Connection({"as": user}, namespace), read_only=True) as cluster:
        refused = [
            str(one)
            for one in wanted
            if not cluster.may(one.verb, one.group, one.resource, one.subresource, one.namespace, one.name)
        ]
        more = [
            one
            for one in ("secrets", "pods/exec")
            if cluster.may("get", "", *one.partition("/")[::2], namespace)
        ]
    clear(kubectl)
    assert refused == []
    assert more == []


@pytest.mark.control_plane
def test_json_and_yaml_are_the_same(llm_hpa: Plugin, namespace: str) -> None:
    import yaml

    options = ("rbac", "-n", namespace, "--to", "user:pat", "--to", "group:a/b")
    printed = list(yaml.safe_load_all(llm_hpa(*options).stdout))
    assert printed == json.loads(llm_hpa(*options, "-o", "json").stdout)["items"]
    assert all(one["apiVersion"] == HEAD["apiVersion"] for one in printed)
    names = {one["metadata"]["name"] for one in printed if one["kind"] == "RoleBinding"}
    assert {"llm-hpa-workload:user:pat", "llm-hpa-workload:group:a-b"} <= names


@pytest.mark.control_plane
def test_an_object_of_another_kind_is_read_off_the_workload(
    llm_hpa: Plugin, kubectl: Kubectl, namespace: str
) -> None:
    kubectl.run("create", "deployment", "x", "--image=x", "-n", namespace)
    outcome = llm_hpa("rbac", "deploy/x", "--for", "enable", "-n", namespace, "-o", "json")
    rules = json.loads(outcome.stdout)["items"][0]["rules"]
    assert rules[0]["resources"] == ["deployments", "deployments/scale"]
    assert rules[0]["verbs"] == ["get"]


@pytest.fixture
def stub(kubectl: Kubectl, llm_hpa: Plugin, namespace: str) -> Iterator[Stub]:
    """Two workloads, of which one is to be scaled, and no trace of the plugin afterwards."""
    Stub(kubectl, namespace, name="other", kind="Deployment").start()
    workload = Stub(kubectl, namespace)
    workload.start()
    yield workload
    llm_hpa("disable", *workload.reference)


def uncovered(used: Iterable[Right], granted: Iterable[Right]) -> list[str]:
    """The rights that no granted one covers: of the same place or of all, of the same name or of any."""
    rules = [
        (one.namespace, {
            "verbs": [one.verb], "apiGroups": [one.group],
            "resources": ["*" if one.subresource == "*" else "/".join(filter(None, (one.resource, one.subresource)))],
            "resourceNames": [one.name] if one.name else [],
        })
        for one in granted
    ]  # fmt: skip
    return sorted(
        str(one)
        for one in used
        if not rights.granted([rule for where, rule in rules if where in ("", one.namespace)], one)
    )


def check(
    namespace: str, used: set[Right], commands: Sequence[str], backend: str, *flags: str, workload: str = ""
) -> None:
    """Nothing is used that is not in the table, and nothing that is needed there is not used.

    The kinds in the table are those of `workload`, or Deployments and StatefulSets.
    """
    with Cluster(Connection({}, namespace), read_only=True) as cluster:
        scene, _ = roles.scene_of(cluster, namespace, (workload,) if workload else ())
    table = rights.select(replace(scene, groups=None), commands, flags=flags)
    said = [
        f"not in the table: {one}" for one in uncovered(used, [each for one in table for each in one.rights])
    ]
    table = rights.select(scene, commands, backends=(backend,), flags=flags)
    required = [right for one in table if one.row.need in ("", *flags) for right in one.rights]
    rare = tuple(each for one in (*commands, backend) for each in RARE.get(one, ()))
    said += [f"not used: {one}" for one in unused(required, used) if not one.startswith(rare)]
    assert not said, "\n".join(said)


@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_a_robot_scales_with_the_adapter(kubectl: Kubectl, llm_hpa: Plugin, stub: Stub) -> None:
    namespace, workload, backend = stub.namespace, stub.reference[0], PROMETHEUS_ADAPTER
    commands = ("detect", "enable", "status", "explain", "doctor", "bench", "disable")
    try:
        user = robot(kubectl, llm_hpa, namespace, *fors(commands), "--backend", backend)
        who = ("--as", user, "-n", namespace)
        with recording() as used:
            assert run("detect", *who) == 0
            with pytest.raises(LlmHpaError, match="wait for"):
                run("enable", workload, *ADAPTER, *who, "--max", "3", "--timeout", "0s")
            assert run("enable", workload, *ADAPTER, *who, "--max", "3") == 0
            assert run("status", *who) == 0
            assert run("explain", workload, *who) == 0
            assert run("doctor", workload, *who) == 0
            assert run("bench", workload, *who, "--duration", "5s") in (0, 4)
            assert run("disable", workload, *who) == 0
            with Cluster(Connection({"as": user}, namespace), read_only=False) as cluster:
                undone.undone(cluster, HPAS, POD_MONITORS)
        check(namespace, used, commands, backend)
    finally:
        clear(kubectl)


@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_a_robot_scales_with_keda(kubectl: Kubectl, llm_hpa: Plugin, stub: Stub) -> None:
    """An HPA that was made by hand is handed to KEDA and back, and Prometheus wants a token."""
    namespace, workload = stub.namespace, stub.reference[0]
    commands = ("enable", "status", "explain", "doctor", "bench", "disable")
    by_hand: Json = {"apiVersion": HPAS.api_version, "kind": HPAS.kind, **undone.hpa_of(3)}
    by_hand["metadata"] = {"name": "by-hand", "namespace": namespace}
    by_hand["spec"]["scaleTargetRef"] |= {"kind": stub.kind, "name": stub.name}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "prom", "namespace": namespace}}
    kubectl.apply(by_hand, {**secret, "stringData": {"token": "any"}})
    flag = "--prometheus-token-secret"
    try:
        user = robot(kubectl, llm_hpa, namespace, *fors(commands), "--backend", KEDA, "--with", flag[2:])
        who = ("--as", user, "-n", namespace)
        with recording() as used:
            asked = ("enable", workload, *who, "--max", "3", "--adopt", "--backend", KEDA, flag, "prom")
            with pytest.raises(LlmHpaError, match="wait for"):
                run(*asked, "--timeout", "0s")
            assert run(*asked) == 0
            assert run("status", *who) == 0
            assert run("explain", workload, *who) == 0
            assert run("doctor", workload, *who) == 0
            assert run("bench", workload, *who, "--duration", "5s") in (0, 4)
            assert run("disable", workload, *who) == 0
            with Cluster(Connection({"as": user}, namespace), read_only=False) as cluster:
                undone.undone(cluster, POD_MONITORS, SCALED_OBJECTS, TRIGGER_AUTHENTICATIONS)
        check(namespace, used, commands, KEDA, flag, workload=workload)
    finally:
        clear(kubectl)


def fors(commands: Iterable[str]) -> list[str]:
    return [word for one in commands for word in ("--for", one)]


@pytest.mark.cluster
@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_robot_moves_a_workload_there_and_back(kubectl: Kubectl, llm_hpa: Plugin, stub: Stub) -> None:
    namespace, workload, commands = stub.namespace, stub.reference[0], ("enable", "migrate", "disable")
    try:
        user = robot(kubectl, llm_hpa, namespace, *fors(commands))
        who = ("--as", user, "-n", namespace)
        assert run("enable", workload, *ADAPTER, *who, "--max", "3") == 0
        with recording() as used:
            assert run("migrate", workload, *who, "--to", KEDA) == 0
            assert run("migrate", workload, *who, "--to", PROMETHEUS_ADAPTER, "--edit-adapter=yes") == 0
        assert run("disable", workload, *who) == 0
        check(namespace, used, ("migrate",), "prometheus-adapter", workload=workload)
    finally:
        clear(kubectl)


@pytest.mark.cluster
@pytest.mark.timeout(600)
def test_nobody_asks_for_what_the_least_role_does_not_give(
    kubectl: Kubectl, llm_hpa: Plugin, stub: Stub
) -> None:
    """Optional reads are left out, and not refused, from the first look to the last trace."""
    namespace, workload = stub.namespace, stub.reference[0]
    try:
        user = robot(kubectl, llm_hpa, namespace, *fors(("enable", "migrate", "disable")), "--required")
        who = ("--as", user, "-n", namespace)
        with refused() as lines, Cluster(Connection({"as": user}, namespace), read_only=True) as cluster:
            with pytest.raises(ApiError):
                cluster.get(NODES.path())
            assert lines == ["GET /api/v1/nodes"], "a request that is refused is seen"
            lines.clear()
            assert run("enable", workload, *ADAPTER, *who, "--max", "3") == 0
            assert run("migrate", workload, *who, "--to", KEDA) == 0
            assert run("migrate", workload, *who, "--to", PROMETHEUS_ADAPTER, "--edit-adapter=yes") == 0
            assert run("disable", workload, *who) == 0
        assert lines == []
    finally:
        clear(kubectl)


@pytest.mark.cluster
def test_enable_stops_before_its_first_write(kubectl: Kubectl, llm_hpa: Plugin, stub: Stub) -> None:
    namespace, workload = stub.namespace, stub.reference[0]
    try:
        user = robot(kubectl, llm_hpa, namespace, "--for", "enable", "--backend", PROMETHEUS_ADAPTER)
        found = kubectl.get("roles", "-n", namespace)["items"]
        (role,) = [one for one in found if one["metadata"]["name"].endswith("-workload")]
        (rule,) = [one for one in role["rules"] if one["resources"] == ["podmonitors"]]
        rule["verbs"].remove("create")
        kubectl.apply(role)
        with recording() as used, pytest.raises(LlmHpaError, match="you may not create podmonitors"):
            run("enable", workload, *ADAPTER, "--as", user, "-n", namespace, "--max", "3")
        reviews = "localsubjectaccessreviews"
        assert [one for one in used if one.verb not in ("get", "list") and one.resource != reviews] == []
    finally:
        clear(kubectl)


def unused(needed: Iterable[Right], used: Iterable[Right]) -> list[str]:
    """The rights that no request needed."""
    rules = [
        (one.namespace, {
            "verbs": [one.verb], "apiGroups": [one.group],
            "resources": ["/".join(filter(None, (one.resource, one.subresource)))],
        })
        for one in used
    ]  # fmt: skip
    metrics = ("custom.metrics.k8s.io", "external.metrics.k8s.io")  # any metric stands for all
    return sorted(
        str(one)
        for one in needed
        if not rights.granted([rule for where, rule in rules if where == one.namespace], one)
        and not (one.group in metrics and any(each.group == one.group for each in used))
    )
