"""An endpoint picker without a gateway: the series of one with flow control, scraped, and a queue that a test sets."""

from __future__ import annotations

from dataclasses import dataclass

from tests.cluster.conftest import Json, Kubectl, load_image
from tests.cluster.ground.engine_images import STUB_IMAGE
from tests.cluster.stub_workload import Stub
from tests.cluster.workloads import PORTS, REQUESTS

NAME = "picker"
_PORT = 9090
#: The series of GIE 1.5 (tests/bodies has recorded pages); whether the pool has a pod is found out as it is asked.
_PROGRAM = '''
import http.server, sys, urllib.request
pool, engine = sys.argv[1:]
held = {"n": 0}

def ready():
    try:
        return int(urllib.request.urlopen(engine, timeout=1).status == 200)
    except OSError:
        return 0

class Picker(http.server.BaseHTTPRequestHandler):
    def answer(self, text):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self):
        if self.path.startswith("/held/"):
            held["n"] = int(self.path.removeprefix("/held/"))
        self.answer(f"""inference_pool_ready_pods{{name="{pool}"}} {ready()}
inference_extension_flow_control_pool_saturation{{inference_pool="{pool}"}} 1
inference_extension_flow_control_queue_size{{fairness_id="a",priority="0",inference_pool="{pool}",model_name="m",target_model_name="m"}} {held["n"]}
""")

http.server.ThreadingHTTPServer(("", 9090), Picker).serve_forever()
'''  # noqa: E501


@dataclass(frozen=True)
class Picker:
    """The picker of a pool of the same name, for a stub workload."""

    kubectl: Kubectl
    stub: Stub

    def start(self) -> None:
        """Make the pool, the picker and what scrapes it, and wait until it is ready."""
        load_image("stub-engine")
        self.kubectl.apply(*self._objects())
        self.kubectl.run("rollout", "status", f"deploy/{NAME}", "-n", self.stub.namespace, "--timeout=60s")

    def hold(self, requests: int) -> None:
        """Show so many requests in the queue."""
        namespace = self.stub.namespace
        (pod,) = self.kubectl.get("pods", "-n", namespace, "-l", f"app={NAME}")["items"]
        path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}:{_PORT}/proxy/held/{requests}"
        self.kubectl.run("get", "--raw", path)

    def _objects(self) -> list[Json]:
        meta = {"name": NAME, "namespace": self.stub.namespace}
        labels = {"app": NAME}
        engine = f"http://{self.stub.name}-service:{PORTS[self.stub.engine]}/health"
        container = {
            "name": "epp", "image": STUB_IMAGE, "imagePullPolicy": "IfNotPresent", "resources": REQUESTS,
            "command": ["python3", "-c", _PROGRAM, NAME, engine],
            "ports": [{"name": "metrics", "containerPort": _PORT}],
            "readinessProbe": {"tcpSocket": {"port": _PORT}, "periodSeconds": 1},
        }  # fmt: skip
        return [
            {
                "apiVersion": "inference.networking.k8s.io/v1", "kind": "InferencePool", "metadata": meta,
                "spec": {
                    "selector": {"matchLabels": {"app": self.stub.name}},
                    "targetPorts": [{"number": PORTS[self.stub.engine]}],
                    "endpointPickerRef": {"name": NAME, "port": {"number": 9002}},
                },
            },
            {
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta,
                "spec": {
                    "selector": {"matchLabels": labels},
                    "template": {
                        "metadata": {"labels": labels},
                        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
                    },
                },
            },
            {
                "apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor",
                "metadata": {**meta, "labels": {"release": "kube-prometheus-stack"}},
                "spec": {
                    "selector": {"matchLabels": labels},
                    "podMetricsEndpoints": [{"port": "metrics", "interval": "2s", "scrapeTimeout": "2s"}],
                },
            },
        ]  # fmt: skip
