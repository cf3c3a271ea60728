"""Programs of the system that some tests need."""

import os
import shutil

import pytest


def program(name: str) -> str:
    """The path of a program. Without it the test is skipped by its name; in CI, where all are installed, it fails."""
    path = shutil.which(name)
    if path:
        return path
    if os.environ.get("CI"):
        pytest.fail(f"{name} is not installed")
    pytest.skip(f"{name} is not installed")
