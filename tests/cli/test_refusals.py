"""A command that cannot do what was asked exits with 2: a script must not take that for a check that failed."""

import json
from pathlib import Path

import pytest

from tests.books import command
from tests.seating_plan_file import theatre
from tests.system import clean_environment


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("keys remove shop", "there is no such key of shop"),
        ("plan show plan.json --output /nonexistent/plan.svg", "'/nonexistent/plan.svg': No such file or directory"),
        ("partner --port 65536", "'--port'"),
    ],
)
def test_the_exit_status_of_a_refusal(words: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plan.json").write_text(json.dumps(theatre()))
    refused = command(clean_environment() | {"SEATING_DATA_DIR": str(tmp_path)}, *words.split())
    assert (refused.status, refused.out) == (2, "")
    assert named in refused.error
