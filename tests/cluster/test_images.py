"""The image writer and the workload templates, without a cluster."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import workloads
from tests.cluster.ground.oci import Image, image_architecture, write_archive
from tests.engine import workloads as engine_workloads
from tests.engine.tiny_model import byte_letters, write_model
from tests.engine.vllm_runtime import Runtime

pytestmark = pytest.mark.ground


def _tree(root: Path) -> Path:
    """Make a directory with a program, a link to it and a folder."""
    (root / "lib").mkdir(parents=True)
    (root / "lib" / "data").write_text("data")
    (root / "program").write_text("#!/bin/sh\n")
    (root / "program").chmod(0o755)
    (root / "link").symlink_to("program")
    return root


def _blob(tar: tarfile.TarFile, digest: str) -> bytes:
    stream = tar.extractfile("blobs/" + digest.replace(":", "/"))
    assert stream is not None
    return stream.read()


def test_an_archive_holds_what_the_image_says(tmp_path: Path) -> None:
    tree = _tree(tmp_path / "tree")
    image = Image(
        name="docker.io/library/probe:1",
        files=((tree, "/opt/probe"), (tree / "program", "/usr/bin/probe")),
        entrypoint=("/usr/bin/probe",),
        env={"A": "b"},
        user="65534",
    )
    write_archive(image, tmp_path / "a.tar")
    with tarfile.open(tmp_path / "a.tar") as tar:
        index_file = tar.extractfile("index.json")
        assert index_file is not None
        [entry] = json.load(index_file)["manifests"]
        manifest = json.loads(_blob(tar, entry["digest"]))
        config = json.loads(_blob(tar, manifest["config"]["digest"]))
        (tmp_path / "layer.tar").write_bytes(_blob(tar, manifest["layers"][0]["digest"]))
    assert entry["annotations"]["io.containerd.image.name"] == "docker.io/library/probe:1"
    assert config["architecture"] == image_architecture()
    assert config["config"]["Entrypoint"] == ["/usr/bin/probe"]
    assert config["config"]["User"] == "65534"
    assert "A=b" in config["config"]["Env"]
    with tarfile.open(tmp_path / "layer.tar") as layer:
        members = {member.name: member for member in layer.getmembers()}
    assert members["opt/probe/link"].linkname == "program"
    assert members["opt/probe/lib/data"].size == 4
    assert members["usr/bin/probe"].mode == 0o755
    assert members["usr/bin"].isdir()
    assert members["tmp"].mode == 0o1777


def test_the_same_image_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        tree = _tree(tmp_path / name)
        write_archive(Image("docker.io/library/probe:1", ((tree, "/opt"),)), tmp_path / f"{name}.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_a_missing_file_leaves_no_archive(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file for the image"):
        write_archive(Image("docker.io/library/probe:1", ((tmp_path / "no", "/no"),)), tmp_path / "a.tar")
    assert list(tmp_path.iterdir()) == []


def test_the_stub_speaks_other_command_lines() -> None:
    text = workloads.stub_engine(
        engine="sglang", role="decode", kind="LeaderWorkerSet", port_name=None, sidecar=9000
    )
    group, service = yaml.safe_load_all(text)
    template = group["spec"]["leaderWorkerTemplate"]
    engine, sidecar = template["leaderTemplate"]["spec"]["containers"]
    assert " ".join(engine["command"]).startswith("python3 -m sglang.launch_server --model-path")
    assert engine["command"][-3:] == ["--enable-metrics", "--disaggregation-mode", "decode"]
    assert engine["ports"] == [{"containerPort": 30000}]
    assert sidecar["ports"] == [{"name": "side", "containerPort": 9000}]
    assert "ports" not in template["workerTemplate"]["spec"]["containers"][0]
    assert service["spec"]["selector"]["leaderworkerset.sigs.k8s.io/worker-index"] == "0"
    bare, _ = yaml.safe_load_all(workloads.stub_engine(engine="llamacpp", metrics=False, declared=False))
    container = bare["spec"]["template"]["spec"]["containers"][0]
    assert "--metrics" not in container["command"]
    assert "ports" not in container


@pytest.mark.parametrize("kind", ["StatefulSet", "Deployment"])
def test_the_stub_manifest(kind: Any) -> None:
    text = workloads.stub_engine(kind=kind, namespace="demo", replicas=3, seats=4, flags=["--speed", "2"])
    workload, service = yaml.safe_load_all(text)
    container = workload["spec"]["template"]["spec"]["containers"][0]
    assert workload["kind"] == kind
    assert workload["spec"]["replicas"] == 3
    assert container["command"][:5] == ["vllm", "serve", "/models/tiny", "--max-num-seqs", "4"]
    assert container["command"][-2:] == ["--speed", "2"]
    assert service["spec"]["selector"] == workload["spec"]["selector"]["matchLabels"]


def test_the_vllm_manifest_mounts_the_runtime() -> None:
    runtime = Runtime(Path("/cache/venv"), Path("/usr"), Path("/cache/model"))
    workload, _ = yaml.safe_load_all(engine_workloads.vllm(runtime, namespace="demo"))
    pod = workload["spec"]["template"]["spec"]
    mounted = {mount["mountPath"]: mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for path in ("/cache/venv", "/usr", "/cache/model"):
        assert volumes[mounted[path]]["hostPath"]["path"] == path
    assert pod["containers"][0]["command"][:3] == ["vllm", "serve", "/cache/model"]


def test_the_tiny_model_has_a_token_for_each_byte(tmp_path: Path) -> None:
    write_model(tmp_path / "model")
    tokenizer = json.loads((tmp_path / "model" / "tokenizer.json").read_text())
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    assert len(set(byte_letters())) == 256
    assert set(byte_letters()) <= set(vocabulary)
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))
    assert config["vocab_size"] >= len(vocabulary)
