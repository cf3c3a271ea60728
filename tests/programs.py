"""Programs of the system that some tests need."""

import os
import shutil

import pytest


def chromium() -> str:
    """Debian's Chromium: nothing is downloaded. Without windows it takes less time for everything."""
    return program("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def program(*names: str) -> str:
    """Return the path of a program, which may have several names.

    Without it the test is skipped by the first of them; in CI, where all are installed, it fails.
    """
    path = next(filter(None, map(shutil.which, names)), None)
    if path:
        return path
    if os.environ.get("CI"):
        pytest.fail(f"{names[0]} is not installed")
    pytest.skip(f"{names[0]} is not installed")
