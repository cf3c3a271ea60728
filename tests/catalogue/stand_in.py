"""The stand-in as its own process, by the command with which the launcher starts it."""

import http.client
import json
from pathlib import Path
from typing import Any

from tests import forked
from tests.servers import wait_until
from tests.system import Answer, Client, clean_environment, free_port


class StandIn(Client):
    """`get` and `request` go straight to it."""

    def __init__(self, folder: Path, seed: int = 1) -> None:
        super().__init__(free_port())
        folder.mkdir(parents=True, exist_ok=True)
        words = ("seating", "partner", "--port", str(self.port), "--seed", str(seed))
        environment = clean_environment() | {"SEATING_DATA_DIR": str(folder), "LOG_LEVEL": "warning"}
        self._process = forked.start(words, folder, environment, folder / "partner.log")
        wait_until(lambda: self.get("/getUserById/1").status == 200, what="the stand-in to answer")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add(self, name: str = "A", user_id: str | int = "1") -> Answer:
        return self.request("POST", "/addEvent", json.dumps({"name": name, "userId": user_id}).encode())

    def listed(self, path: str) -> Any:
        """A list, asked for until its connection is not dropped."""
        while True:
            try:
                return self.get(path).json
            except (OSError, http.client.HTTPException):
                pass

    def drops(self, path: str) -> bool:
        """Whether it drops the connection instead of an answer."""
        try:
            self.get(path)
        except (OSError, http.client.HTTPException):
            return True
        return False

    def stop(self) -> int:
        self._process.terminate()
        return self._process.wait(timeout=10)
