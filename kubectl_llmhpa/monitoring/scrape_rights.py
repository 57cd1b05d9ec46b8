"""Whether a Prometheus may find the pods that a PodMonitor names: its ServiceAccount has to list pods there.

kube-prometheus gives its Prometheus that right in three namespaces only (prometheus-roleSpecificNamespaces.yaml), so a
PodMonitor elsewhere is selected and then has no target. The API server is asked (a LocalSubjectAccessReview, which the
built-in role `admin` may create); else the bindings are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kubectl_llmhpa.api import Json, Reader, Resource
from kubectl_llmhpa.errors import ApiError

_RBAC = "rbac.authorization.k8s.io/v1"
_ROLES = Resource(_RBAC, "roles", "Role")
_CLUSTER_ROLES = Resource(_RBAC, "clusterroles", "ClusterRole", namespaced=False)
_ROLE_BINDINGS = Resource(_RBAC, "rolebindings", "RoleBinding")
_CLUSTER_ROLE_BINDINGS = Resource(_RBAC, "clusterrolebindings", "ClusterRoleBinding", namespaced=False)
#: More accounts than a cluster has Prometheus objects that select one namespace.
_ACCOUNTS = 4


def account_of(prometheus: Json) -> str:
    """The ServiceAccount of a Prometheus object, `namespace/name`."""
    name = (prometheus.get("spec") or {}).get("serviceAccountName") or "default"
    return f"{prometheus['metadata']['namespace']}/{name}"


def may_list_pods(reader: Reader, namespace: str, prometheuses: Iterable[Json]) -> dict[str, bool | None]:
    """For each account whether it may list pods in a namespace, None where the caller may not know.

    Raises ApiError when the API server does not answer.
    """
    accounts = list(dict.fromkeys(account_of(one) for one in prometheuses))[:_ACCOUNTS]
    answers: dict[str, bool | None] = {}
    try:
        for account in accounts:
            answers[account] = reader.account_may(account, "list", "", "pods", namespace)
    except ApiError as error:
        if error.unavailable:
            raise
        return _by_bindings(reader, namespace, accounts)
    return answers


def _by_bindings(reader: Reader, namespace: str, accounts: Sequence[str]) -> dict[str, bool | None]:
    kinds = (_ROLES, _CLUSTER_ROLES, _ROLE_BINDINGS, _CLUSTER_ROLE_BINDINGS)
    if not accounts or not all(
        reader.may("list", one.group, one.plural, "", _where(one, namespace)) for one in kinds
    ):
        return dict.fromkeys(accounts)
    answers = reader.get_many([one.path(_where(one, namespace)) for one in kinds])
    if any(isinstance(one, ApiError) for one in answers):
        return dict.fromkeys(accounts)
    roles, cluster_roles, local, wide = [
        one.get("items") or [] for one in answers if not isinstance(one, ApiError)
    ]
    rules = {("Role", one["metadata"]["name"]): one.get("rules") or [] for one in roles}
    rules |= {("ClusterRole", one["metadata"]["name"]): one.get("rules") or [] for one in cluster_roles}
    return {account: granted(account, [*local, *wide], rules) for account in accounts}


def _where(resource: Resource, namespace: str) -> str:
    return namespace if resource.namespaced else ""


def granted(account: str, bindings: Iterable[Json], rules: Mapping[tuple[str, str], Sequence[Json]]) -> bool:
    """Whether bindings give an account the right to list pods. `rules` are those of a role by its kind and name."""
    return any(
        _lists_pods(rule)
        for binding in bindings
        if any(_is(subject, account) for subject in binding.get("subjects") or [])
        for rule in rules.get((binding["roleRef"]["kind"], binding["roleRef"]["name"]), [])
    )


def _is(subject: Json, account: str) -> bool:
    home, _, name = account.partition("/")
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{home}", "system:authenticated")
    return {
        "ServiceAccount": subject.get("name") == name and subject.get("namespace") == home,
        "User": subject.get("name") == f"system:serviceaccount:{home}:{name}",
        "Group": subject.get("name") in groups,
    }.get(str(subject.get("kind")), False)


def _lists_pods(rule: Json) -> bool:
    parts = (("apiGroups", ""), ("resources", "pods"), ("verbs", "list"))
    names_none = not rule.get("resourceNames")
    return names_none and all({value, "*"} & set(rule.get(key) or []) for key, value in parts)
