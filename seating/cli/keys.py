"""Commands that create, list and revoke API keys. Running processes notice by themselves."""

import time
from typing import Final

import click

from seating.cli import acting, startup_checks
from seating.cli.printing import as_json, print_rows, print_table
from seating.config import Settings
from seating.domain.audit import Act
from seating.domain.caller import Role, is_key_name
from seating.domain.timestamps import rfc3339
from seating.services.audit import Audit, act_now
from seating.storage.api_keys import ApiKeys, OtherRole
from seating.storage.database import Database
from seating.storage.replica import LaggingReads

_COLUMNS: Final = {"name": "NAME", "role": "ROLE", "id": "ID", "created": "CREATED"}


def _key_name(text: str) -> str:
    if not is_key_name(text):
        raise click.BadParameter(
            "a name has 1 to 64 lower-case letters, digits, dots, hyphens and underscores, "
            "begins with a letter or digit, and is neither anonymous nor operator"
        )
    return text


of_name = click.argument("name", metavar="NAME", type=_key_name)


@click.group()
def keys() -> None:
    """Manage the API keys of shops and operators."""


@keys.command()
@of_name
@acting.why
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True, help="What the key is for.")
@as_json
def add(name: str, role: str, why: str | None, as_json: bool) -> None:
    """Create a key and print its secret. It cannot be shown again: only its hash is stored.

    A name may have several keys, so that a shop can switch to the new one before the old one is removed.
    """
    settings = startup_checks.operator_settings()
    file = ApiKeys(settings.effective_api_keys_file)
    try:
        secret = file.add(name, Role(role), rfc3339(time.time() * 1000))
    except OtherRole as error:
        raise click.BadParameter(f"{name} already has a key with the role {error}", param_hint="--role") from error
    row = {"name": name, "role": role, "secret": secret}
    print_rows([row], "{secret}", as_json)  # Before anything can fail: it cannot be recovered.
    _note(settings, act_now(acting.actor(why), "key.add", target=name, after=role))


@keys.command("list")
@as_json
def list_keys(as_json: bool) -> None:
    """List names, roles and ids of all keys."""
    found = ApiKeys(startup_checks.operator_settings().effective_api_keys_file).all()
    rows = [{"name": key.name, "role": key.role, "id": key.id, "created": key.created} for key in found]
    print_table(rows, _COLUMNS, as_json, nothing="there are no keys")


@keys.command()
@of_name
@acting.why
@click.option("--id", "key_id", help="Only the key with this id.")
@as_json
def remove(name: str, key_id: str | None, why: str | None, as_json: bool) -> None:
    """Revoke the keys of a name, all or one."""
    settings = startup_checks.operator_settings()
    file = ApiKeys(settings.effective_api_keys_file)
    removed = file.remove(lambda key: key.name == name and key_id in (None, key.id))
    if not removed:
        raise click.ClickException(f"there is no such key of {name}")
    _note(settings, act_now(acting.actor(why), "key.remove", target=name, before=key_id or f"{removed} keys"))
    print_rows([{"name": name, "removed": removed}], "removed {removed}", as_json)


def _note(settings: Settings, act: Act) -> None:
    database = Database(settings.effective_database_url)
    Audit(database, LaggingReads(database)).note(act)
