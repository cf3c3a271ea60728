"""The event partner's users and events. Fields that are not needed here pass through."""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from seating.domain.errors import InvalidRequest

PARTNER_ID_FORM = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

# A number or a safe string: ids become part of a URL.
PartnerId = Annotated[int, Field(ge=0)] | Annotated[str, Field(pattern=PARTNER_ID_FORM)]


class _Told(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    id: PartnerId
    name: str


class PartnerUser(_Told):
    """A user in the partner's list."""


class PartnerUserEvents(_Told):
    """A user with the ids of their events."""

    events: list[PartnerId] = Field(max_length=1000)


class PartnerEvent(_Told):
    """An event of the partner's, not one on sale here."""


def parse_partner_id(text: str) -> str:
    """Return the id. Raises InvalidRequest if it cannot be one of the partner's."""
    # fullmatch(), since `$` also matches before a line feed at the end.
    if not re.fullmatch(PARTNER_ID_FORM, text, re.ASCII):
        raise InvalidRequest("User id must be 1 to 64 letters, digits, dots, hyphens and underscores", "userId")
    return text
