"""The command line as people and scripts use it, in the process of the tests: a command takes longer to start than to
run."""

import os
from collections.abc import Mapping
from unittest.mock import patch

import pytest
import structlog
from click.testing import CliRunner

from seating.cli.main import main
from tests.books import Said


def command(environment: Mapping[str, str], *words: str, given: str = "") -> Said:
    """Run `seating <words>` with this environment and `given` as its standard input."""
    logging = structlog.get_config()
    arguments = patch("sys.argv", ["seating", *words])
    try:
        with (
            patch.dict(os.environ, environment, clear=True),
            arguments,
            CliRunner().isolation(given) as (out, error, _),
        ):
            with pytest.raises(SystemExit) as ended:
                main()
            said = out.getvalue().decode(), error.getvalue().decode()
    finally:
        structlog.configure(**logging)
    return Said(int(ended.value.code or 0), *said)
