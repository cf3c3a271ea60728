"""systemd units and the Kubernetes manifest: what they start exists, is told enough, and has time to stop."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from seating.cli import startup_checks
from seating.cli.main import seating
from seating.config import Settings, load_settings
from tests.system import PROJECT

_SETTINGS = {name.upper() for name in Settings.model_fields}
_STOPPING_S = 35
"""After DRAIN_S, as docs/settings.md has it."""

SYSTEMD = PROJECT / "deploy" / "systemd"
UNITS = sorted(SYSTEMD.glob("*.service"))
OBJECTS: list[dict[str, Any]] = yaml.safe_load((PROJECT / "deploy" / "kubernetes" / "seating.yaml").read_text())[
    "items"
]
PODS: dict[str, dict[str, Any]] = {
    found["metadata"]["name"].removeprefix("seating-"): found["spec"]["template"]["spec"]
    for found in OBJECTS
    if found["kind"] in ("Deployment", "Job")
}


def _named(kind: str, name: str) -> dict[str, Any]:
    (found,) = (each for each in OBJECTS if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


def _options(file: Path) -> dict[str, str]:
    return dict(re.findall(r"^([A-Za-z_]+)=(.*)$", file.read_text(), re.MULTILINE))


def _loaded(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    assert set(environment) <= _SETTINGS
    monkeypatch.chdir(tmp_path)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def test_there_is_a_unit_for_each_part() -> None:
    commands = {_options(unit)["ExecStart"].removeprefix("/opt/seating/.venv/bin/seating ") for unit in UNITS}
    assert commands == {"web", "worker", "cron", "sender", "migrate"}
    assert commands <= set(seating.list_commands(click.Context(seating)))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.stem))
def test_a_unit_is_hardened_and_reads_the_environment(unit: Path) -> None:
    found = _options(unit)
    assert (found["User"], found["NoNewPrivileges"], found["ProtectSystem"]) == ("seating", "yes", "strict")
    assert (found["CapabilityBoundingSet"], found["UMask"]) == ("", "0077")
    assert found["EnvironmentFile"] == "/etc/seating/seating.env"
    assert f"/var/lib/{found['StateDirectory']}" == _options(SYSTEMD / "seating.env")["SEATING_DATA_DIR"]


def test_the_environment_of_the_units_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _loaded(_options(SYSTEMD / "seating.env"), tmp_path, monkeypatch)
    web = _options(SYSTEMD / "seating-web@.service")
    assert web["Environment"] == "PORT=%i"
    assert web["KillMode"] == "mixed"
    assert int(web["TimeoutStopSec"]) >= settings.drain_s + _STOPPING_S
    assert int(web["LimitNOFILE"]) > settings.web_connections


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    """And finds them little exposed."""
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        pytest.skip("systemd-analyze is not installed")
    installed = tmp_path / "seating"
    installed.write_text("#!/bin/sh\n")
    installed.chmod(0o755)
    for unit in (*UNITS, SYSTEMD / "seating.target"):
        text = unit.read_text().replace("/opt/seating/.venv/bin/seating", str(installed))
        (tmp_path / unit.name).write_text(text.replace("/opt/seating", str(tmp_path)))
    names = [f"./{unit.name}" for unit in UNITS]
    for words in (["verify", "--man=no", "./seating.target"], ["security", "--offline=true", "--threshold=20"]):
        command = [analyze, *words, *names]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.parametrize("part", PODS)
def test_pods_run_real_commands_with_settings_that_work(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (container,) = PODS[part]["containers"]
    assert container["args"] == [part]
    environment: dict[str, str] = _named("ConfigMap", "seating")["data"] | _named("Secret", "seating")["stringData"]
    for variable in container.get("env", ()):
        environment[variable["name"]] = variable.get("value") or _secret(variable["valueFrom"]["secretKeyRef"])
    loaded = _loaded(environment, tmp_path, monkeypatch)
    if part != "migrate":
        startup_checks.refuse_without_key(loaded)


def _secret(reference: dict[str, str]) -> str:
    value: str = _named("Secret", reference["name"])["stringData"][reference["key"]]
    return value


@pytest.mark.parametrize("part", PODS)
def test_pods_can_do_no_more_than_they_must(part: str) -> None:
    pod = PODS[part]
    (container,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in container["resources"]["limits"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert {"/data", "/tmp"} <= {mount["mountPath"] for mount in container["volumeMounts"]}


def test_probes_ask_the_port_for_operations() -> None:
    (web,) = PODS["web"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in web["ports"]}
    assert _variable("OPS_BIND") == f"0.0.0.0:{ports['ops']}"
    probes = [web[f"{name}Probe"]["httpGet"] for name in ("liveness", "readiness", "startup")]
    assert [(probe["path"], probe["port"]) for probe in probes] == [
        ("/health", "ops"),
        ("/ready", "ops"),
        ("/health", "ops"),
    ]


def test_a_pod_drains_until_its_503_was_seen_and_has_time_to_stop() -> None:
    (web,) = PODS["web"]["containers"]
    drain_s = int(_variable("DRAIN_S"))
    ready = web["readinessProbe"]
    assert drain_s > ready["periodSeconds"] * ready["failureThreshold"] + ready["timeoutSeconds"]
    assert PODS["web"]["terminationGracePeriodSeconds"] >= drain_s + _STOPPING_S
    assert _named("Deployment", "seating-web")["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def _variable(name: str) -> str:
    (web,) = PODS["web"]["containers"]
    (value,) = (variable["value"] for variable in web["env"] if variable["name"] == name)
    return str(value)


def test_old_and_new_crons_do_not_run_together() -> None:
    spec = _named("Deployment", "seating-cron")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_the_job_of_the_last_upgrade_is_not_in_the_way() -> None:
    """A job is immutable: the next one needs the name."""
    assert _named("Job", "seating-migrate")["spec"]["ttlSecondsAfterFinished"] <= 3600
    assert "kubectl delete job seating-migrate --ignore-not-found" in (PROJECT / "docs" / "deploy.md").read_text()
