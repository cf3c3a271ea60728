from gevent import monkey

monkey.patch_all()

import gc
import os
import shutil

import structlog

from seating.config import InvalidSettings, load_settings
from seating.launcher.child import die_with
from seating.server import open_files, plain_requests
from seating.telemetry import logs, metrics_folder, tracing

_settings = load_settings()
_metrics_dir = metrics_folder.claim(_settings.data_dir / "metrics")
# prometheus-client reads this when the workers import it.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_metrics_dir)
_connections = open_files.make_room(_settings.web_connections, _settings.event_api_concurrency)

bind = [f"{_settings.bind}:{_settings.port}" if ":" not in _settings.bind else f"[{_settings.bind}]:{_settings.port}"]
if _settings.ops_bind:
    bind.append(_settings.ops_bind)
workers = _settings.web_workers
worker_class = "seating.server.worker.WebWorker"
worker_connections = _connections
# Bounds the wait for the next request; requests in progress have other deadlines (seating/server/client_socket.py).
keepalive = _settings.keepalive_s
graceful_timeout = 30
timeout = 60
# Real requests are far below these.
limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 16_384
# Ignore forwarding headers here; seating/web/origins.py reads those of a trusted proxy.
forwarder_headers = ""
forwarded_allow_ips = ""
control_socket_disable = True
proc_name = "seating"
# gunicorn logs like everything else; the application logs each request itself.
errorlog = None
logs.configure(_settings.logging)


def on_starting(_server):
    """Log the start."""
    log = structlog.get_logger("gunicorn.conf")
    log.info("web server starts", fast_parser=plain_requests.AVAILABLE, connections_per_process=_connections)
    if not plain_requests.AVAILABLE:
        log.warning("httptools missing, using gunicorn's slower parser")
    if _connections < _settings.web_connections:
        log.warning("open file limit too low", connections_per_process=_connections, wanted=_settings.web_connections)


def when_ready(server):
    """Only our worker class drains: gunicorn reads this file for whatever is started in this folder."""
    if draining := getattr(server.worker_class, "draining", None):
        draining.before_stop(server, _settings.drain_s)
    _reload_only_valid_settings(server)


def _reload_only_valid_settings(server):
    """Check the settings before a reload reads them: gunicorn's master would exit, and its processes with it."""
    reload = server.handle_hup

    def handle_hup():
        from seating.cli import startup_checks  # Redis's client, which the master does without until then.

        try:
            startup_checks.settings()
        except InvalidSettings as error:
            structlog.get_logger("gunicorn.conf").error("web server not reloaded", reason=str(error))
        else:
            reload()

    server.handle_hup = handle_hup


def post_fork(_server, worker):
    """Stop with the master: an orphaned worker would keep the port."""
    die_with(worker.ppid)
    # The live feed gets its share of the connections that actually fit. Not in the master's environment, where it would
    # override what a reload reads.
    os.environ["WEB_CONNECTIONS"] = str(_connections)


def post_worker_init(_worker):
    """Exclude permanent objects from garbage collection, and collect the rest less often.

    Garbage collection took a tenth of a web process's CPU time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def worker_exit(_server, _worker):
    tracing.stop()


def child_exit(_server, worker):
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)
    worker.place.leave()


def on_exit(_server):
    shutil.rmtree(_metrics_dir, ignore_errors=True)
