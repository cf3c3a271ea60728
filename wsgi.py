"""The application for gunicorn: `gunicorn -c gunicorn.conf.py wsgi:app`."""

from seating.app import create_app
from seating.config import load_settings
from seating.runtime import live_hub, web_services
from seating.telemetry import logs

_settings = load_settings()
logs.configure(_settings.log_level, _settings.log_format)
_services = web_services(_settings)
_services.readiness.start()
app = create_app(_settings, _services, live_hub(_settings, _services))
