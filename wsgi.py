"""What gunicorn serves: `gunicorn -c gunicorn.conf.py wsgi:app`."""

from seating.app import create_app
from seating.config import load_settings
from seating.runtime import web_services
from seating.telemetry import logs

_settings = load_settings()
logs.configure(_settings.log_level, _settings.log_format)
app = create_app(_settings, web_services(_settings))
