"""A reader that makes no request which the caller may not make.

A tool that is refused a thousand times fills the audit log and looks like an attack, so each right is asked for once
(SelfSubjectAccessReview) before the first request that needs it. Who may do everything is asked for that alone.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from urllib.parse import unquote

from kubectl_llmhpa.api import Json, Reader
from kubectl_llmhpa.errors import ApiError
from kubectl_llmhpa.plan.forwarding import Forwarding

_PATH = re.compile(
    r"^/(?:api/v1|apis/(?P<group>[^/]+)/[^/?]+)"
    r"(?:/namespaces/(?P<namespace>[^/?]+)(?=/[^/?]))?"
    r"/(?P<resource>[^/?]+)(?:/(?P<name>[^/?]+)(?:/(?P<below>[^/?]+))?)?"
)


@dataclass(frozen=True)
class Right:
    """What a read needs: the attributes by which the API server authorizes it."""

    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str = ""
    """Empty: objects of any name."""

    def __str__(self) -> str:
        kind = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        kind += f".{self.group}" if self.group else ""
        which = f" {self.name}" if self.name else ""
        return f"{self.verb} {kind}{which}" + (f' in namespace "{self.namespace}"' if self.namespace else "")


def needed(path: str) -> Right | None:
    """The right that a GET of an API path needs; None for discovery, which every user may read.

    Source: k8s.io/apiserver pkg/endpoints/request/requestinfo.go (a GET without a name is a list; a namespace is
    within itself).
    """
    match = _PATH.match(path)
    if match is None:
        return None
    name, namespace = match["name"] or "", match["namespace"] or ""
    if not match["group"] and match["resource"] == "namespaces":
        namespace = name
    verb = "get" if name else "list"
    return Right(
        verb, match["group"] or "", match["resource"], match["below"] or "", namespace, unquote(name)
    )


#: What an administrator may (`kubectl auth can-i '*' '*'`).
EVERYTHING = Right("*", "*", "*", "", "")


class Permitted(Forwarding):
    """What is not permitted is an `ApiError` that says so, and no request; of watches the server says it itself."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self._lock = threading.Lock()
        self._answers: dict[Right, Future[bool]] = {}

    @property
    def unlimited(self) -> bool:
        """Whether the caller may do everything."""
        return self._known(EVERYTHING)

    def get(self, path: str, *, accept: str = "application/json") -> Json:
        """See `api.Reader.get`."""
        self._check(path)
        return super().get(path, accept=accept)

    def get_text(self, path: str, *, timeout: float | None = None) -> str:
        """See `api.Reader.get_text`."""
        self._check(path)
        return super().get_text(path, timeout=timeout)

    def get_many(self, paths: Sequence[str]) -> list[Json | ApiError]:
        """See `api.Reader.get_many`."""
        refusals = {path: refusal for path in paths if (refusal := self.refusal(path)) is not None}
        allowed = [path for path in paths if path not in refusals]
        answers = iter(super().get_many(allowed))
        return [refusals[path] if path in refusals else next(answers) for path in paths]

    def may(
        self, verb: str, group: str, resource: str, subresource: str = "", namespace: str = "", name: str = ""
    ) -> bool:
        """See `api.Reader.may`; asked once, also by several threads."""
        return self._has(Right(verb, group, resource, subresource, namespace, name))

    def account_may(self, account: str, verb: str, group: str, resource: str, namespace: str) -> bool:
        """See `api.Reader.account_may`."""
        asking = Right("create", "authorization.k8s.io", "localsubjectaccessreviews", "", namespace)
        if not self._has(asking):
            raise _refused(asking)
        return super().account_may(account, verb, group, resource, namespace)

    def refusal(self, path: str) -> ApiError | None:
        """Why a read is not permitted, None when it is."""
        right = needed(path)
        return None if right is None or self._has(right) else _refused(right)

    def _check(self, path: str) -> None:
        refusal = self.refusal(path)
        if refusal is not None:
            raise refusal

    def _has(self, right: Right) -> bool:
        """Whether it is given for any name, or else for this one (pods are not asked for: many, and in no role)."""
        anyone = replace(right, name="")
        if self.unlimited or self._known(anyone):
            return True
        return bool(right.name) and right.resource != "pods" and self._known(right)

    def _known(self, right: Right) -> bool:
        with self._lock:
            known = self._answers.get(right)
            answer = known or self._answers.setdefault(right, Future())
        if known is None:
            answer.set_result(self._ask(right))
        return answer.result()

    def _ask(self, right: Right) -> bool:
        try:
            return super().may(
                right.verb, right.group, right.resource, right.subresource, right.namespace, right.name
            )
        except ApiError:
            # a cluster that does not answer such questions refuses the read itself, if it has to
            return True


def _refused(right: Right) -> ApiError:
    remedy = "ask an administrator for that verb on that resource"
    return ApiError(str(replace(right, name="")), 403, "Forbidden", "forbidden to this user", remedy)
