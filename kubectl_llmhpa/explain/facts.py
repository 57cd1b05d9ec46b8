"""What the controller sees of one HPA, as plain data that goes into a file and comes back the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from kubectl_llmhpa.api import Json, moment
from kubectl_llmhpa.errors import LlmHpaError
from kubectl_llmhpa.hpa import arithmetic
from kubectl_llmhpa.hpa.arithmetic import Pod
from kubectl_llmhpa.hpa.go import milli

#: pods: values by pod; values: of an Object or of all series of an External metric; failed: the metrics API's refusal;
#: none: not read, since its calculation is not here (CPU and memory).
Kind: TypeAlias = Literal["pods", "values", "failed", "none"]


@dataclass(frozen=True)
class Answer:
    """What the metrics API says of one metric. Values are quantities as they came (`4800m`)."""

    kind: Kind
    pods: Mapping[str, str] = field(default_factory=dict)
    values: tuple[str, ...] = ()
    message: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """Every quantity in it."""
        return (*self.pods.values(), *self.values)

    @property
    def refused(self) -> bool:
        """Whether the caller may not read it, which says nothing of the controller."""
        return self.kind == "failed" and "forbidden" in self.message


@dataclass(frozen=True)
class Scale:
    """The scale subresource: `spec.replicas`, `status.replicas`, and the label selector of the pods that count."""

    replicas: int
    status_replicas: int
    selector: str


@dataclass(frozen=True)
class Facts:
    """One look at an HPA.

    `hpa` is the object, for a ScaledObject the one that KEDA made of it, and `scaled_object` is that. `pods` are those
    that the scale's selector matches, `answers` one for each metric of the spec, in its order. `minor` is that of the
    server's version 1.x, `events` core/v1 events of the HPA, `now` an RFC 3339 time. What could not be read is in
    `unread`, with the reason: `scale`, `pods`, `version`, `events`, `scaledobject`.
    """

    hpa: Json
    now: str
    scale: Scale | None = None
    pods: tuple[Pod, ...] = ()
    answers: tuple[Answer, ...] = ()
    minor: int | None = None
    events: tuple[Json, ...] = ()
    scaled_object: Json | None = None
    unread: Mapping[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """`now` in seconds since 1970."""
        return seconds(self.now)

    def as_json(self) -> Json:
        """The facts as JSON; `from_json` is the way back."""
        scale = self.scale
        return {
            "hpa": self.hpa,
            "now": self.now,
            "scale": None
            if scale is None
            else {
                "replicas": scale.replicas,
                "statusReplicas": scale.status_replicas,
                "selector": scale.selector,
            },
            "pods": [
                {"name": pod.name, "phase": pod.phase, "ready": pod.ready, "deleting": pod.deleting}
                for pod in self.pods
            ],
            "answers": [
                {"kind": one.kind, "pods": dict(one.pods), "values": list(one.values), "message": one.message}
                for one in self.answers
            ],
            "minor": self.minor,
            "events": list(self.events),
            "scaledObject": self.scaled_object,
            "unread": dict(self.unread),
        }

    @classmethod
    def from_json(cls, found: Json) -> Facts:
        """Facts from what `as_json` gave. Raises LlmHpaError for anything else."""
        try:
            scale = found["scale"]
            return cls(
                hpa=found["hpa"],
                now=found["now"],
                scale=None
                if scale is None
                else Scale(int(scale["replicas"]), int(scale["statusReplicas"]), str(scale["selector"])),
                pods=tuple(
                    Pod(one["name"], one["phase"], one["ready"], one["deleting"]) for one in found["pods"]
                ),
                answers=tuple(
                    Answer(one["kind"], dict(one["pods"]), tuple(one["values"]), one["message"])
                    for one in found["answers"]
                ),
                minor=found["minor"],
                events=tuple(found["events"]),
                scaled_object=found["scaledObject"],
                unread=dict(found["unread"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise LlmHpaError(
                "read the facts of an HPA", f"they are not as they were written ({error})", "record them anew"
            ) from error


def reading(answer: Answer) -> arithmetic.Reading:
    """An answer as the arithmetic takes it, in milli-units."""
    match answer.kind:
        case "pods":
            return {name: milli(text) for name, text in answer.pods.items()}
        case "values":
            return tuple(milli(text) for text in answer.values)
        case _:
            return arithmetic.Failed(answer.message)


def seconds(text: object) -> float:
    """An RFC 3339 time in seconds since 1970; 0 for what is none."""
    when = moment(text)
    return when.timestamp() if when else 0.0
