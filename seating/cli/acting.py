"""The actor of a command, the reason given, and the question before what cannot be undone."""

import os
import pwd
from typing import Final

import click

from seating.domain.actor import Actor, parse_why

_LONGEST_NAME: Final = 64


def _why(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    try:
        return None if text is None else parse_why(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


why = click.option("--why", callback=_why, help="The reason, kept in the audit log.")
why_required = click.option("--why", callback=_why, required=True, help="The reason, kept in the audit log.")


may_ask = click.option("--yes", is_flag=True, help="Do not ask.")


def ask_first(question: str, *, yes: bool) -> None:
    """Ask, unless the answer was given with the command; abort it at no."""
    if not yes:
        click.confirm(question, abort=True, err=True)


def ask_before_erasing(what: str, *, yes: bool) -> None:
    ask_first(f"Nothing brings it back but a backup. {what}?", yes=yes)


def actor(why: str | None) -> Actor:
    """Return the process's user by login name, whatever the environment says."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # A container may run as a user without a name.
        name = str(os.getuid())
    # A name in another encoding comes with lone surrogates, which orjson refuses.
    return Actor("cli:" + name.encode(errors="replace").decode()[:_LONGEST_NAME], why=why)
