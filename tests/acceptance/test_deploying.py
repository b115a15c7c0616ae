"""What is shipped for containers, systemd and Kubernetes fits the program: commands, settings, times."""

import importlib.util
import re
import shlex
import threading
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer.main
from ruamel.yaml import YAML

from core.environment import ENDING
from scheduler.beats import GRACE_SECONDS
from tidings.cli import app
from tidings.service import LEAVE_SECONDS
from tidings.serving import REQUESTS_SECONDS
from tidings.settings import known_variables

ROOT = Path(__file__).parents[2]
OUR_GRACE = REQUESTS_SECONDS + GRACE_SECONDS + LEAVE_SECONDS
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
COMPOSE = YAML(typ="safe").load(ROOT / "compose.yaml")
MANIFESTS = [
    manifest
    for file in sorted((ROOT / "deploy/kubernetes").glob("*.yaml"))
    for manifest in YAML(typ="safe").load_all(file)
]
UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))
OURS = ("migrate", "serve", "worker")


def of_kind(*kinds: str) -> list[dict[str, Any]]:
    return [manifest for manifest in MANIFESTS if manifest["kind"] in kinds]


def pods() -> Iterator[tuple[str, Any, Any]]:
    """Name, pod and its one container."""
    for manifest in of_kind("Deployment", "Job"):
        pod = manifest["spec"]["template"]["spec"]
        yield manifest["metadata"]["name"], pod, pod["containers"][0]


def unit(file: Path) -> ConfigParser:
    read = ConfigParser(interpolation=None, strict=False, delimiters=("=",))
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read(file, "utf-8")
    return read


def commands() -> Iterator[list[str]]:
    """Every command line of `tidings` that is shipped."""
    yield re.findall(r'"([^"]+)"', re.findall(r"^CMD (.+)$", DOCKERFILE, re.MULTILINE)[-1])
    yield from (COMPOSE["services"][name]["command"] for name in OURS)
    yield from (container["args"] for _, _, container in pods())
    for file in UNITS:
        said = unit(file)["Service"]["ExecStart"].replace("$WORKER_OPTIONS", "--channels sms").rstrip("'")
        yield shlex.split(said.partition("/opt/tidings/bin/tidings ")[2])


def test_every_command_is_one_that_the_program_understands() -> None:
    program = typer.main.get_command(app)
    found = list(commands())
    assert {words[0] for words in found} == {"serve", "worker", "db"}
    for words in found:
        command, rest = program, list(words)
        while children := getattr(command, "commands", None):
            command = children[rest.pop(0)]
        command.make_context("tidings", rest)


def test_every_setting_is_one_that_something_reads() -> None:
    known = set(known_variables())
    known |= {name + ENDING.upper() for name in known}
    text = DOCKERFILE + "".join(
        file.read_text("utf-8") for file in [ROOT / "compose.yaml", *(ROOT / "deploy").rglob("*.*")]
        if file.is_file() and file.suffix != ".pyc"
    )  # fmt: skip
    named = set(re.findall(r"\bTIDINGS_[A-Z_]+\b", text))
    assert {"TIDINGS_DATABASE_FILE", "TIDINGS_WORKSPACE"} <= named
    assert named <= known


def test_everybody_waits_longer_for_the_end_than_it_takes() -> None:
    waits = [float(str(COMPOSE["services"][name]["stop_grace_period"]).rstrip("s")) for name in OURS]
    waits += [float(unit(file)["Service"]["TimeoutStopSec"]) for file in UNITS if "backup" not in file.name]
    for _, pod, container in pods():
        if "terminationGracePeriodSeconds" in pod:
            command = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", [0])
            waits.append(pod["terminationGracePeriodSeconds"] - float(command[-1]))
    assert len(waits) == 3 + 2 + 2
    assert all(seconds >= OUR_GRACE + 5 for seconds in waits)


def test_nothing_runs_as_root_or_may_become_it_or_write_to_its_own_program() -> None:
    user = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)[-1]
    for _, pod, container in pods():
        own, whole = container["securityContext"], pod["securityContext"]
        assert whole["runAsNonRoot"] is True
        assert (str(whole["runAsUser"]), str(whole["runAsGroup"])) == user
        assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
        assert own == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
    for name in OURS:
        service = COMPOSE["services"][name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    for file in UNITS:
        rights = unit(file)["Service"]
        assert (rights["User"], rights["ProtectSystem"], rights["CapabilityBoundingSet"]) == (
            "tidings", "strict", "",
        )  # fmt: skip


def test_kubernetes_asks_each_kind_of_process_how_it_is_where_it_listens() -> None:
    for name, _, container in pods():
        if name == "tidings-migrate":
            continue
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        asked = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
        assert {kind: probe["path"] for kind, probe in asked.items()} == {
            "startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz",
        }  # fmt: skip
        expected = {"tidings-serve": 8000, "tidings-worker": 9464}[name]
        assert {ports[probe["port"]] for probe in asked.values()} == {expected}
        assert container["resources"]["limits"]["memory"]


def test_a_drained_machine_never_takes_all_of_a_kind_with_it() -> None:
    kept = {it["metadata"]["name"]: it["spec"] for it in of_kind("PodDisruptionBudget")}
    for manifest in of_kind("Deployment"):
        budget = kept[manifest["metadata"]["name"]]
        assert budget["selector"] == manifest["spec"]["selector"]
        assert manifest["spec"]["replicas"] > budget.get("minAvailable", budget.get("maxUnavailable"))
    listed = YAML(typ="safe").load(ROOT / "deploy/kubernetes/kustomization.yaml")["resources"]
    files = {file.name for file in (ROOT / "deploy/kubernetes").glob("*.yaml")} - {"kustomization.yaml"}
    assert set(listed) == files


def test_compose_begins_nothing_before_the_database_is_migrated() -> None:
    services = COMPOSE["services"]
    assert services["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert "--host 127.0.0.1" in " ".join(services["database"]["healthcheck"]["test"])
    for name in ("serve", "worker"):
        assert services[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
        assert services[name]["deploy"]["resources"]["limits"]["memory"]
    assert services["worker"]["deploy"]["replicas"] == 2


def test_the_image_is_made_of_everything_that_the_wheel_is_made_of_and_of_no_address() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line[:1] == "!"
    }
    needed = {*wheel["packages"], *(name.partition("/")[0] for name in wheel["force-include"])}
    assert needed <= allowed
    assert "--require-hashes -r requirements-otel.lock" in DOCKERFILE
    assert "://" not in DOCKERFILE
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"debian:bookworm-slim"}


@pytest.fixture
def healthy() -> ModuleType:
    """The image's own question."""
    spec = importlib.util.spec_from_file_location("healthy", ROOT / "deploy/docker/healthy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("status", "expected"), [(200, True), (503, False)])
def test_a_container_is_as_well_as_its_process_says(healthy: ModuleType, status: int, expected: bool) -> None:
    class Process(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/healthz"
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Process) as server:
        threading.Thread(target=server.handle_request).start()
        assert healthy.well(server.server_port) is expected


def test_where_nothing_listens_another_port_is_asked(healthy: ModuleType) -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        port = server.server_port
    assert healthy.well(port) is None
