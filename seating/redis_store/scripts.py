"""The Lua scripts, as text: each file of lua/ behind the clock, and behind those that it says it uses."""

import hashlib
import re
from functools import cached_property
from importlib import resources
from typing import Final

_LUA = resources.files("seating.redis_store") / "lua"
_USES = re.compile(r"^-- Uses (\w+)\.lua$", re.MULTILINE)


class Scripts:
    """All scripts by name. `replaced` swaps a file's text, which is how tests move the clock or take a guard out."""

    def __init__(self, replaced: dict[str, str] | None = None) -> None:
        files = {file.name.removesuffix(".lua"): file.read_text() for file in _LUA.iterdir()}
        files |= replaced or {}
        clock = files.pop("clock")
        uses = {name: _USES.findall(body) for name, body in files.items()}
        parts = {part: files.pop(part) for part in {part for used in uses.values() for part in used}}
        self.sources: Final = {
            name: _assemble(clock + "".join(parts[part] for part in uses[name]), body) for name, body in files.items()
        }

    @cached_property
    def digests(self) -> dict[str, str]:
        """Name to SHA-1, the id that EVALSHA takes."""
        return {
            name: hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
            for name, source in self.sources.items()
        }


def _assemble(shared: str, body: str) -> str:
    """A script's flags (`#!lua …`) have to be its very first line."""
    if body.startswith("#!"):
        flags, _, rest = body.partition("\n")
        return f"{flags}\n{shared}{rest}"
    return shared + body
