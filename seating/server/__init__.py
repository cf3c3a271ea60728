"""The web server: gunicorn's master, signals and settings, with our own handling of connections."""
