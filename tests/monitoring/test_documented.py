"""Metrics, rules and the dashboard speak of the same things."""

import json
import re
import subprocess
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import yaml
from prometheus_client.metrics import MetricWrapperBase

from seating.app import create_app
from seating.config import Settings
from seating.live.hub import Hub
from seating.services.services import Services
from seating.telemetry import metrics
from seating.telemetry.metrics import ReadMetric
from tests.programs import program
from tests.system import PROJECT, System

RULES = PROJECT / "deploy" / "prometheus" / "rules.yml"
DASHBOARD = json.loads((PROJECT / "deploy" / "grafana" / "seating.json").read_text())
PAGE = (PROJECT / "docs" / "metrics.md").read_text()

_ROW = re.compile(r"\| `(seating_\w+)` \| (\w+) \| (.*?) ?\| .+ \|")
_ALERT_ROW = re.compile(r"\| `(Seating\w+)` \| ([a-z, ]+) \| .+ \| .+ \|")

Described = dict[str, tuple[str, tuple[str, ...]]]


def in_code() -> Described:
    """The type and the labels of each metric."""
    found: Described = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            name, kind, labels = metric._name, metric._type, metric._labelnames
        elif isinstance(metric, ReadMetric):
            name, kind, labels = metric.name, metric.kind, metric.labels
        else:
            continue
        name += "_total" if kind == "counter" else ""
        assert name not in found
        found[name] = (kind, tuple(labels))
    return found


def in_docs() -> Described:
    rows = filter(None, map(_ROW.fullmatch, PAGE.splitlines()))
    return {row[1]: (row[2], tuple(re.findall(r"`(\w+)`", row[3]))) for row in rows}


@cache
def series() -> set[str]:
    """All names under which Prometheus keeps a metric."""
    names = set()
    for name, (kind, _) in in_code().items():
        names |= {f"{name}_{part}" for part in ("bucket", "count", "sum")} if kind == "histogram" else {name}
    return names


def test_every_metric_is_documented_and_nothing_else_is() -> None:
    assert in_docs() == in_code()


def test_a_running_system_has_no_other_metrics(system: System) -> None:
    system.buy(1, event_id=system.create_event(totalSeats=2))
    text = system.get("/metrics", {"Accept": "text/plain"}).body.decode()
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
    assert types.items() <= {name: kind for name, (kind, _) in in_code().items()}.items()
    expected = {"seating_http_wait_seconds", "seating_worker_runs_total", "seating_redis_fsync_seconds"}
    assert expected <= types.keys()


def test_percentiles_of_5_to_500_ms_are_read_between_close_bounds() -> None:
    bounds = [bound for bound in metrics._LATENCIES if 0.005 <= bound <= 0.5]
    assert (bounds[0], bounds[-1]) == (0.005, 0.5)
    assert all(higher < 1.7 * lower for lower, higher in pairwise(bounds))
    for timed in (metrics._purchase_seconds, metrics._hold_seconds):
        assert timed._kwargs["buckets"] == metrics._LATENCIES


def test_names_stand_in_one_module() -> None:
    """But for those that totals are read by."""
    allowed = {PROJECT / "seating" / "telemetry" / file for file in ("metrics.py", "web_counts.py")}
    names = series() | in_code().keys()
    for file in (PROJECT / "seating").rglob("*.py"):
        if file not in allowed:
            assert not names & set(re.findall(r"seating_\w+", file.read_text())), file


def expressions() -> dict[str, str]:
    """Each expression of the dashboard, by panel and target, with Grafana's variables replaced."""
    return {
        f"{panel['title']} {target['refId']}": target["expr"].replace("$__rate_interval", "1m")
        for panel in DASHBOARD["panels"]
        for target in panel.get("targets", ())
    }


def recorded() -> set[str]:
    return {rule["record"] for rule in rules() if "record" in rule}


@cache
def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def test_what_the_dashboard_and_the_rules_name_exists() -> None:
    for where, expr in [*expressions().items(), *((str(rule), rule["expr"]) for rule in rules())]:
        named = set(re.findall(r"\bseating[_:][\w:]+", expr))
        assert named or expr.startswith("up{"), where
        assert named <= series() | recorded(), where


def test_labels_that_the_dashboard_and_the_rules_name_exist() -> None:
    known = {label for _, labels in in_code().values() for label in labels} | {"le", "job", "alertname", "alertstate"}
    for expr in [*expressions().values(), *(rule["expr"] for rule in rules())]:
        grouped = {name for names in re.findall(r"by \(([\w, ]+)\)", expr) for name in names.split(", ")}
        assert grouped | set(re.findall(r"(\w+)=~?\"", expr)) <= known


def test_the_dashboard_is_sound(tmp_path: Path) -> None:
    """Panels have ids of their own, lie beside each other, and ask what Prometheus can parse."""
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or panel["targets"]
    asked = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(expressions().values())]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": asked}]}))
    promtool("check", "rules", str(tmp_path / "panels.yml"))


def test_every_metric_is_on_the_dashboard() -> None:
    shown = " ".join(expressions().values())
    left_out = {"seating_breaker_opened_seconds", "seating_breaker_probe_seconds"}
    assert {name for name in in_code() if name not in shown} == left_out


def test_the_rules_are_sound() -> None:
    promtool("check", "rules", "--lint", "all", "--lint-fatal", str(RULES))
    promtool("check", "config", str(RULES.with_name("prometheus.yml")))


def test_every_alert_is_documented_with_its_severity() -> None:
    found: dict[str, list[str]] = {}
    for rule in rules():
        if "alert" in rule:
            assert rule["annotations"].keys() == {"summary", "description"}
            found.setdefault(rule["alert"], []).append(rule["labels"]["severity"])
    rows = filter(None, map(_ALERT_ROW.fullmatch, PAGE.splitlines()))
    assert {row[1]: row[2].split(", ") for row in rows} == found


def test_burn_rates() -> None:
    """In simulated hours."""
    promtool("test", "rules", str(PROJECT / "tests" / "monitoring" / "burn_rates.yml"))


def test_the_routes_in_the_rules_sell() -> None:
    [pattern] = {route for rule in rules() for route in re.findall(r'route=~"([^"]+)"', rule["expr"])}
    app = create_app(Settings(_env_file=None), cast("Services", None), cast("Hub", None))
    selling = {rule.rule for rule in app.url_map.iter_rules() if rule.rule.endswith(("/purchase", "/purchases"))}
    assert set(pattern.split("|")) == selling


def promtool(*words: str) -> None:
    done = subprocess.run([program("promtool"), *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
