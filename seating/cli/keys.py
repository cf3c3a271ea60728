"""API keys: handing them out and taking them back. Running processes notice by themselves."""

import json
import time

import click

from seating.cli import startup_checks
from seating.config import InvalidSettings
from seating.domain.caller import Role, is_key_name
from seating.domain.timestamps import rfc3339
from seating.storage.api_keys import ApiKeys, InvalidKeyFile


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
    """API keys of shops and operators."""


@keys.command()
@of_name
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True, help="What the key is for.")
def add(name: str, role: str) -> None:
    """Make a key and print its secret, once: only its hash is kept.

    A name may have two keys, so that a shop can change to the new one before the old one is removed.
    """
    file = _file()
    try:
        roles = {key.role for key in file.all() if key.name == name}
        if roles - {Role(role)}:
            raise click.BadParameter(f"{name} has a key with the role {', '.join(sorted(roles))}", param_hint="--role")
        secret = file.add(name, Role(role), rfc3339(time.time() * 1000))
    except InvalidKeyFile as error:
        raise InvalidSettings(f"API_KEYS_FILE: {error}") from error
    click.echo(secret)


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_keys(as_json: bool) -> None:
    """Names, roles and ids of all keys."""
    try:
        found = _file().all()
    except InvalidKeyFile as error:
        raise InvalidSettings(f"API_KEYS_FILE: {error}") from error
    if as_json:
        rows = [{"name": key.name, "role": key.role, "id": key.id, "created": key.created} for key in found]
        click.echo(json.dumps(rows, indent=2))
        return
    for key in found:
        click.echo(f"{key.name:24} {key.role:8} {key.id}  {key.created}")
    if not found:
        click.echo("there are no keys")


@keys.command()
@of_name
@click.option("--id", "key_id", help="Only the one with this id.")
def remove(name: str, key_id: str | None) -> None:
    """Take a name's keys back, all of them or one."""
    try:
        removed = _file().remove(lambda key: key.name == name and key_id in (None, key.id))
    except InvalidKeyFile as error:
        raise InvalidSettings(f"API_KEYS_FILE: {error}") from error
    if not removed:
        raise click.ClickException(f"there is no such key of {name}")
    click.echo(f"removed {removed}")


def _file() -> ApiKeys:
    return ApiKeys(startup_checks.settings().effective_api_keys_file)
