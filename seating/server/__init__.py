"""The web server: gunicorn's master, signals and settings, with connections of our own."""
