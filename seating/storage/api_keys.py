"""The file of API keys: one per line, with name, role, SHA-256 of the secret, and time of creation.

A secret has 256 random bits, so its hash needs neither a salt nor a slow function. A name may have several keys, so
that a new one can be handed out before the old one is removed.
"""

import fcntl
import hashlib
import hmac
import os
import re
import secrets
import stat
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple, Self

import structlog

from seating.domain.caller import Caller, Role, is_key_name

MOST_KEYS: Final = 1_000

_DIGEST: Final = re.compile("[0-9a-f]{64}")
_HEADER: Final = "# API keys: name, role, SHA-256 of the secret, when it was made. `seating keys` writes this file.\n"

_log = structlog.get_logger(__name__)


class InvalidKeyFile(Exception):
    """The file is unusable. The message is one line that says why."""


class OtherRole(Exception):
    """All keys of a name must have the same role, which is the message."""


class ApiKey(NamedTuple):
    """`id` tells keys of one name apart; `created` is RFC 3339, UTC."""

    name: str
    role: Role
    digest: str
    created: str

    @property
    def id(self) -> str:
        return _id(self.digest)

    @property
    def caller(self) -> Caller:
        return Caller(self.name, self.role)

    @classmethod
    def parse(cls, line: str) -> Self:
        """Raises ValueError with the reason. It never quotes the line, which may contain a secret by mistake."""
        words = line.split()
        if len(words) != 4:
            raise ValueError("must have a name, a role, a SHA-256 and a time")
        name, role, digest, created = words
        if not is_key_name(name):
            raise ValueError("begins with an invalid name")
        if role not in [*Role]:
            raise ValueError(f"must have one of the roles {', '.join(Role)}")
        if not _DIGEST.fullmatch(digest):
            raise ValueError("must have a SHA-256 in hexadecimal")
        return cls(name, Role(role), digest, created)

    def __str__(self) -> str:
        return " ".join((self.name, self.role, self.digest, self.created))


class ApiKeys:
    """The keys in the file. It is read again whenever it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: tuple[int, ...] | None = None
        self._keys: list[ApiKey] = []
        self._by_id: dict[str, list[ApiKey]] = {}
        self._faults: list[str] = []

    def find(self, secret: str) -> Caller | None:
        """Return whose secret this is, None for nobody's. Raises InvalidKeyFile.

        The time it takes may show whether a key has this id, which is no secret, and nothing of the rest of its hash.
        """
        digest = _digest(secret)
        self.readable()
        for key in self._by_id.get(_id(digest), ()):
            # In constant time: the time of a plain comparison shows how much of a digest is right.
            if hmac.compare_digest(key.digest, digest):
                return key.caller
        return None

    def has_operator(self) -> bool:
        """Return whether there is an operator's key; True while the file is unreadable, since there may be one."""
        keys = self._current()
        return self._version is None or any(key.role is Role.OPERATE for key in keys)

    def readable(self) -> list[ApiKey]:
        """Return the keys in valid lines, and log each other line. Raises InvalidKeyFile."""
        keys = self._current()
        if self._version is None:
            raise InvalidKeyFile(f"{self._path}: cannot be read")
        return keys

    def all(self) -> list[ApiKey]:
        """Return all keys. Raises InvalidKeyFile if any line is invalid."""
        keys, faults = self._read()
        if faults:
            raise InvalidKeyFile(f"{self._path}: {faults[0]}")
        return keys

    def add(self, name: str, role: Role, created: str) -> str:
        """Add a key and return its secret, which is not stored. Raises InvalidKeyFile, OtherRole."""
        secret = f"seating-{role}-{secrets.token_urlsafe(32)}"
        key = ApiKey(name, role, _digest(secret), created)
        with self._locked():
            keys = self.all()
            if len(keys) >= MOST_KEYS:
                raise InvalidKeyFile(f"{self._path}: already has {MOST_KEYS} keys; remove some")
            for other in keys:
                if other.name == name and other.role is not role:
                    raise OtherRole(other.role)
            self._write(_HEADER + "".join(f"{each}\n" for each in [*keys, key]))
        return secret

    def remove(self, matches: Callable[[ApiKey], bool]) -> int:
        """Remove the matching keys and return how many there were. All other lines stay, invalid ones too."""
        with self._locked():
            lines = self._lines()
            kept = [line for line in lines if not _has_key(line, matches)]
            if len(kept) < len(lines):
                self._write("".join(kept))
        return len(lines) - len(kept)

    def _current(self) -> list[ApiKey]:
        """Return the current keys. An invalid line is logged and skipped; the others stay valid."""
        # Before the file is read, so that the next call finds what changes in between.
        version = self._version_now()
        if version != self._version:
            try:
                self._keys, faults = self._read()
                self._version = version
            except InvalidKeyFile as error:
                # Possibly transient, such as a lack of file descriptors: the next call tries again.
                self._keys, faults = [], [str(error)]
                self._version = None
            self._by_id = defaultdict(list)
            for key in self._keys:
                self._by_id[key.id].append(key)
            for fault in faults:
                if fault not in self._faults:
                    _log.error("api key ignored", file=str(self._path), reason=fault)
            self._faults = faults
        return self._keys

    def _version_now(self) -> tuple[int, ...]:
        try:
            found = self._path.stat()
        except OSError:
            return ()
        # The inode too: two changes within one tick of the clock may have equal sizes.
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> tuple[list[ApiKey], list[str]]:
        """Return the keys, and the fault of each invalid line. Raises InvalidKeyFile if the file cannot be read."""
        keys: list[ApiKey] = []
        faults: list[str] = []
        for number, line in enumerate(self._lines(), start=1):
            try:
                keys += _keys_of(line)
            except ValueError as error:
                faults.append(f"line {number} {error}")
        if len(keys) > MOST_KEYS:
            faults.append(f"has more than {MOST_KEYS} keys")
        return keys[:MOST_KEYS], faults

    def _lines(self) -> list[str]:
        """Return the lines with their ends, none where there is no file. Raises InvalidKeyFile."""
        try:
            return self._path.read_bytes().decode().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise InvalidKeyFile(f"{self._path}: cannot be read: {reason}") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Serialize changes of the file by locking its folder: the file itself is replaced by each change."""
        with self._writing():
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX)
                yield
            finally:
                os.close(folder)

    def _write(self, text: str) -> None:
        """In one step. A new file is readable by its owner alone; another keeps its owner and mode, whoever writes."""
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                with suppress(FileNotFoundError):
                    before = self._path.stat()
                    # Root may change the file of a service that runs as somebody else.
                    os.fchown(handle, before.st_uid, before.st_gid)
                    os.fchmod(handle, stat.S_IMODE(before.st_mode))
                file.write(text.encode())
                file.flush()
                # Without it, a crash could leave the new name without its content.
                os.fsync(file.fileno())
            Path(name).replace(self._path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InvalidKeyFile(f"{self._path}: cannot be written: {error.strerror}") from error


def _keys_of(line: str) -> list[ApiKey]:
    """Return the key of a line, or none of an empty one or a comment. Raises ValueError as `ApiKey.parse` does."""
    return [ApiKey.parse(line)] if line.strip() and not line.startswith("#") else []


def _has_key(line: str, matches: Callable[[ApiKey], bool]) -> bool:
    try:
        return any(map(matches, _keys_of(line)))
    except ValueError:
        return False


def _id(digest: str) -> str:
    return digest[:8]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
