"""The OpenAPI document as it is served."""

from typing import Any

import pytest

from tests.system import System


@pytest.fixture(scope="module")
def document(system: System) -> Any:
    answer = system.get("/openapi.json")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    return answer.json
