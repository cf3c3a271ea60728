"""Product and version of a Redis or Valkey: of a program, and of the one that wrote a data folder."""

import re
from pathlib import Path
from typing import Final, NamedTuple

# The last format that both products share: Valkey forked from Redis 7.2.
_LAST_COMMON: Final = (7, 2)
_BASE_FILE: Final = re.compile(r"^file (\S+) seq \d+ type b$", re.MULTILINE)
# The file begins with its format's name and number, then the product's version.
_HEADER: Final = re.compile(rb"(?:REDIS|VALKEY)\d+.{1,3}(redis|valkey)-ver.(\d+)\.(\d+)\.(\d+)", re.DOTALL)


class Build(NamedTuple):
    """A product, `redis` or `valkey`, and its version."""

    product: str
    version: tuple[int, ...]

    def reads(self, writer: "Build") -> bool:
        """Return whether it can load what `writer` saved. Patch releases never change the format."""
        if self.product == writer.product:
            return self.version[:2] >= writer.version[:2]
        return self.product == "valkey" and writer.version[:2] <= _LAST_COMMON

    def __str__(self) -> str:
        return f"{self.product}-server {'.'.join(map(str, self.version))}"


def written_by(data_dir: Path) -> Build | None:
    """Return the build that wrote the append-only file in `data_dir`, by its header; None if unknown."""
    folder = data_dir / "appendonlydir"
    try:
        # Only the base file has a header; those after it are plain commands.
        base = _BASE_FILE.search((folder / "appendonly.aof.manifest").read_text())
        if base is None:
            return None
        with (folder / base[1]).open("rb") as file:
            header = _HEADER.match(file.read(100))
    except (OSError, UnicodeDecodeError):
        return None
    return Build(header[1].decode(), tuple(map(int, header.groups()[1:]))) if header else None
