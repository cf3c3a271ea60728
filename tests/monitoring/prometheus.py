"""A real Prometheus, with the rules of deploy/ and their windows cut to seconds."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.programs import program
from tests.servers import wait_until
from tests.system import PROJECT, Client, free_port

RULES = PROJECT / "deploy" / "prometheus" / "rules.yml"
_SHORT = {"1m": "1s", "5m": "5s", "30m": "8s", "1h": "10s", "6h": "15s"}
_OLDEST_S = {"seating_persistence_lag_seconds": 60, "seating_webhook_failing_seconds": 600}


class Prometheus(Client):
    """Scrapes one instance, and decides on the alerts, every second."""

    def __init__(self) -> None:
        super().__init__(free_port())
        self.fired: set[tuple[str, str]] = set()

    def firing(self) -> set[str]:
        """The names of the alerts that fire now; `fired` has all that were seen, with their severities."""
        found = self.get("/api/v1/alerts").json["data"]["alerts"]
        labels = [alert["labels"] for alert in found if alert["state"] == "firing"]
        self.fired |= {(of_one["alertname"], of_one["severity"]) for of_one in labels}
        return {of_one["alertname"] for of_one in labels}

    def wait_fired(self, *names: str, within_s: float = 30) -> None:
        """Until each has fired with each of its severities, now or before."""
        wanted = {alert for alert in alerts() if alert[0] in names}

        def have_fired() -> bool:
            self.firing()
            return wanted <= self.fired

        wait_until(have_fired, within_s, f"{names} to fire")

    def wait_ended(self, *names: str, within_s: float = 30) -> None:
        wait_until(lambda: not self.firing().intersection(names), within_s, f"{names} to end")


def alerts() -> set[tuple[str, str]]:
    """The alerts of the rules, with their severities."""
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    return {(rule["alert"], rule["labels"]["severity"]) for rule in rules if "alert" in rule}


def short_rules() -> str:
    """The rules, but that what lasts minutes and hours lasts seconds."""
    text = RULES.read_text()
    for name, age_s in _OLDEST_S.items():
        assert f"{name}) > {age_s}" in text
        text = text.replace(f"{name}) > {age_s}", f"{name}) > 2")
    text = re.sub(r"\[(\w+)\]", lambda window: f"[{_SHORT[window[1]]}]", text)
    return re.sub(r"for: (\w+)", lambda hold: f"for: {_SHORT[hold[1]]}", text)


@contextmanager
def running_prometheus(folder: Path, scraped: Client) -> Iterator[Prometheus]:
    folder.mkdir()
    (folder / "rules.yml").write_text(short_rules())
    job = {"job_name": "seating", "static_configs": [{"targets": [f"127.0.0.1:{scraped.port}"]}]}
    every = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config = {"global": every, "rule_files": ["rules.yml"], "scrape_configs": [job]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    prometheus = Prometheus()
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{prometheus.port}",
        "--log.level=warn",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_until(lambda: prometheus.get("/-/ready").status == 200, 30, "Prometheus to be ready")
        yield prometheus
    finally:
        process.terminate()
        process.wait(20)
