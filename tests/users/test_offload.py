"""What a thread raises reaches its caller, and nobody else: gevent would print it, with whatever it names."""

import json

import pytest
from gevent import get_hub

from seating.domain.errors import UserExists
from seating.storage.offloading import offload_of_this_process
from tests.system import System

EMAIL = "somebody.private@example.com"


def _refuse() -> None:
    raise UserExists(EMAIL)


def test_an_error_is_carried_to_the_caller_in_silence(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seating.storage.offloading.monkey.is_module_patched", lambda _name: True)
    with pytest.raises(UserExists):
        offload_of_this_process()(_refuse)
    assert capfd.readouterr().err == ""


def test_without_that_gevent_prints_it(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserExists):
        get_hub().threadpool.apply(_refuse)
    assert EMAIL in capfd.readouterr().err


def test_a_user_that_exists_is_not_in_the_log(system: System) -> None:
    body = json.dumps({"name": "Some Body", "email": EMAIL}).encode()
    answers = [system.request("POST", "/users", body, {"Content-Type": "application/json"}) for _ in range(2)]
    assert [answer.status for answer in answers] == [201, 409]
    log = system.parts["web"].log.read_text()
    assert EMAIL not in log
    assert "Traceback" not in log
