"""The application for gunicorn: `gunicorn -c gunicorn.conf.py wsgi:app`."""

from seating.app import create_app
from seating.config import load_settings
from seating.runtime import live_hub, web_services
from seating.telemetry import logs, tracing

_settings = load_settings()
logs.configure(_settings.logging)
tracing.start(_settings.otel_exporter_otlp_endpoint, _settings.trace_share, "web")
_services = web_services(_settings)
_services.readiness.start()
_services.instances.start()
app = create_app(_settings, _services, live_hub(_settings, _services))
