"""What a W&B automation, or any other webhook, says about new footage."""

from __future__ import annotations

import json
import re

from core.errors import UserError

MAX_BYTES = 1 << 16
_NAME = re.compile(r"(?:[\w.-]{1,128}/){0,2}[\w.-]{1,128}:[\w.-]{1,128}", re.ASCII)
_KEY = "artifact_version_string"


def is_artifact_name(text: str) -> bool:
    """Whether it is ``name:alias`` or ``entity/project/name:alias``."""
    return bool(_NAME.fullmatch(text)) and not {".", ".."} & set(re.split("[/:]", text))


def artifact_of(payload: bytes) -> str:
    """The name of the artifact in a webhook's JSON object: its ``artifact_version_string``, also within
    ``client_payload``, where GitHub wants it.

    Raises:
        UserError: it is no such object, or the name is none.
    """
    if len(payload) > MAX_BYTES:
        raise UserError(f"The payload has more than {MAX_BYTES >> 10} KiB: send the JSON object of a webhook.")
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        raise UserError("The payload is no JSON: send the JSON object of a webhook.") from None
    if isinstance(said, dict) and isinstance(said.get("client_payload"), dict):
        said = {**said["client_payload"], **said}
    name = said.get(_KEY) if isinstance(said, dict) else None
    if not isinstance(name, str):
        raise UserError(f'The payload names no artifact: put "{_KEY}": "${{{_KEY}}}" into the webhook\'s payload.')
    if not is_artifact_name(name):
        raise UserError(f"The payload's {_KEY} is not entity/project/name:version: {name[:60]!r}.")
    return name
