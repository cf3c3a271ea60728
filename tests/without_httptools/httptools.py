"""On PYTHONPATH, this is a platform for which httptools has no wheel."""

raise ImportError("no httptools here")
