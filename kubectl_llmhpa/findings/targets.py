"""Findings about what is scaled: the target, its scale subresource, its pods, the room for more of them."""

from __future__ import annotations

from kubectl_llmhpa.findings.model import Rule

ROWS: tuple[Rule, ...] = (
    Rule(
        "router-in-match", "error", "The selector matches a router beside the engines",
        "its numbers are those of other pods and are counted twice",
        "select the engine pods only",
    ),
    Rule(
        "two-versions", "info", "Pods of two templates run side by side",
        "they may expose different names and seats",
        "nothing to do while a rollout is under way: rules accept every name",
    ),
    Rule(
        "multi-node-workers", "warning", "The scale selector matches pods without metrics",
        "a Pods metric counts them as missing, which damps every move",
        "scale by an object whose selector matches the leaders only",
    ),
    Rule(
        "target-absent", "error", "An autoscaler points at an object that is not there",
        "the controller cannot read its scale, so it does nothing",
        "correct spec.scaleTargetRef, see: kubectl -n {namespace} get deploy,sts",
        "The HPA says `AbleToScale=False FailedGetScale: ... not found`. KEDA accepts such a ScaledObject too, "
        "and says `doesn't have correct scaleTargetRef specification` afterwards.",
    ),
    Rule(
        "no-scale-selector", "error", "A scale subresource without a selector",
        "the controller cannot find the pods to count",
        "scale the Deployment or StatefulSet below it, unless its operator takes the replicas back",
        "The CRD's `scale` lacks `labelSelectorPath`. The HPA says `InvalidSelector: the HPA target's scale is "
        "missing a selector`, and its events `selector is required`.",
    ),
    Rule(
        "operator-owns-replicas", "error", "An operator sets the replicas of the target itself",
        "it takes back what an HPA writes",
        "{remedy}",
        "Its reconcile loop writes its own number: one field report counts 41 changes to and fro in 14 minutes. "
        "Scale the object that the operator reads its number from, or switch its own scaling off.",
    ),
    Rule(
        "scales-a-part", "error", "An autoscaler points at a part of something that is scaled as a whole",
        "the owner of the part sets its replicas",
        "point spec.scaleTargetRef at {whole}",
        "A StatefulSet of a LeaderWorkerSet group, or a Deployment below an operator's object, gets its replicas "
        "from above. Only the topmost object with a scale subresource keeps what an HPA writes.",
    ),
    Rule(
        "foreign-pods", "error", "The scale selector matches pods of something else",
        "the controller averages over those pods too, and takes them for replicas",
        "give the pods of the workload a label of their own, and select by it (now: {selector})",
        "The controller lists pods by the selector, whoever made them. A canary or a router with the same `app` "
        "label counts: one foreign pod at 20 scaled an idle workload with target 5 from 1 to 4, without an error.",
    ),
    Rule(
        "no-pods", "error", "Replicas are wanted and there is no pod",
        "there is nothing to measure, and the HPA keeps the replicas as they are",
        "see: kubectl -n {namespace} get events --field-selector reason=FailedCreate",
        "The controller of the workload could not make pods: a quota, an admission webhook, a missing "
        "ServiceAccount. The HPA says `no pods returned by selector`.",
    ),
    Rule(
        "quota-exceeded", "error", "A quota or an admission check refuses new pods",
        "the replicas stay below what the HPA asks for",
        "raise it (kubectl -n {namespace} describe quota), or lower the HPA's maximum to what fits",
        "The HPA has done its part: `SuccessfulRescale`. The pods are refused afterwards, and only an event "
        "`FailedCreate` of the ReplicaSet or StatefulSet says so.",
    ),
    Rule(
        "pods-fail", "error", "Pods do not start",
        "a pod that never runs has no metric, and counts as 0 on the way up",
        "see: kubectl -n {namespace} describe pod {pod}",
        "`CrashLoopBackOff` and `ImagePullBackOff` do not pass by themselves. An HPA cannot help: it adds pods "
        "that fail as well.",
    ),
    Rule(
        "pods-unschedulable", "error", "Pods find no node",
        "the HPA has asked for replicas that nothing can run ({wanted} now)",
        "add nodes or GPUs, or lower the HPA's maximum to what fits",
        "Pending pods count as 0 on the way up, so they cause no cascade: 2 pods at 20 with target 5 ask for 8 "
        "and stay at 8. They serve nothing either.",
    ),
    Rule(
        "pods-starting", "info", "Pods are not ready yet",
        "they have no sample so far, and an HPA on pods waits for them",
        "wait; enable --scale-down-window and a warm replica bridge slow starts",
        "While no pod has a sample the controller says `no metrics returned` and keeps the replicas; it never "
        "goes to the minimum for that.",
    ),
    Rule(
        "slow-start", "warning", "Pods take long to become ready",
        "a replica asked for during a burst serves only after that",
        "keep a warm replica above the base load: --min 2 or more",
        "A pod that takes 10 minutes to load its model serves 10 minutes after the queue began. At 5 requests per "
        "second that are 3,000 requests which the replicas before it have to take or turn away.",
    ),
    Rule(
        "gpu-capacity", "warning", "The nodes have no room for --max replicas",
        "replicas above {room} will stay Pending until nodes are added",
        "lower --max or make sure that nodes are added",
    ),
    Rule(
        "quota", "warning", "A resource quota is below what --max replicas need",
        "replicas above {room} cannot be created",
        "raise the quota or lower --max",
        "8 replicas of 2 GPUs need 16. A quota of `requests.nvidia.com/gpu: 8` creates 4; the others never come "
        "about, and the HPA goes on wanting 8.",
    ),
    Rule(
        "grace-period", "warning", "A generation may outlast the grace period of its pod",
        "a generation that is not done when its pod is scaled in is cut off",
        "set terminationGracePeriodSeconds above the longest generation, or use --scale-down disabled",
        "2,000 tokens at 25 tokens per second are 80 s. After the 30 s that Kubernetes gives a pod by default the "
        "engine is killed in the middle of the answer. `terminationGracePeriodSeconds: 300` gives the longest "
        "generation its time; a `preStop` hook that waits until nothing runs keeps it from being routed to "
        "meanwhile. Silence it for short answers.",
    ),
    Rule(
        "no-scale-subresource", "error", "A scale target without a scale subresource",
        "nothing can read or set its replicas, so no metric is ever looked at",
        "{remedy}",
        "The controller asks for `.../scale` of the target first. For a KServe InferenceService the answer is 404, "
        "the HPA says `FailedGetScale`, and metrics for CPU fail with it.",
    ),
    Rule(
        "scale-target-kind", "error", "A scale target of an API group that has no such kind",
        "the controller finds no such kind and does nothing",
        "write apiVersion: {version}",
        "`kind: Deployment` without `apiVersion: apps/v1` is looked up in the core group: `no matches for kind "
        "\"Deployment\" in group \"\"`.",
    ),
)  # fmt: skip
