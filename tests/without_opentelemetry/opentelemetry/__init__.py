"""On PYTHONPATH, the extra `tracing` is not installed."""

raise ImportError("no OpenTelemetry here")
