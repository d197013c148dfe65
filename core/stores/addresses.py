"""Addresses: what they name, and how people may see them."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from core.errors import UserError

STORES = {
    "file": None,
    "ftp": None,
    "sftp": "paramiko",
    "ssh": "paramiko",
    "smb": "smbprotocol",
    "s3": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "http": "aiohttp",
    "https": "aiohttp",
}
"""What an address may begin with, and the package that has to be installed for it."""
SERVERS = {"ftp", "sftp", "ssh", "smb"}
"""Those whose addresses name a host, and maybe a user and his password."""
WEB = {"http", "https"}
"""From there single files are read; there are no folders, and nothing is written."""
RENAMING = {"file", *SERVERS}
"""Those that can give a file another name; with the others a file appears whole under its name."""

_SLASH_IN_LOGIN = re.compile(r"[^/@:\[\]]*:(?!\d+/)[^/@]*/.*@")
"""User and password, where that was written with a slash in it: what follows the colon is no port."""
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+(?=://|::)", re.IGNORECASE)


def is_url(text: str) -> bool:
    """Whether it is an address, and not a path: whatever begins with a name and ``://``, or is chained with ``::``.

    That the functions here can do anything with it is not said: they tell what they cannot, in a sentence.
    """
    return _SCHEME.match(text.strip()) is not None


def without_login(url: str) -> str:
    """The address for a person's eyes: without user and password, and without what follows a ``?``."""
    scheme, _, rest = url.strip().partition("://")
    if _SLASH_IN_LOGIN.match(rest):
        rest = rest.rpartition("@")[2]
    host, slash, path = rest.partition("/")
    shown = f"{scheme}://{host.rpartition('@')[2]}{slash}{path.partition('?')[0]}"
    return re.sub(r"[\x00-\x1f\x7f]", "_", shown)  # a sentence has one line


def is_below(url: str, folder: str) -> bool:
    """Whether an address is that of a folder, or of something in it, whoever logs in."""
    place, above = (f"{without_login(address).rstrip('/')}/" for address in (url, folder))
    return place.startswith(above)


def local_path(url: str) -> Path | None:
    """Where the address leads on this machine; None if it is elsewhere."""
    return Path(url.strip()[len("file://") :]) if scheme_of(url) == "file" else None


def scheme_of(url: str) -> str:
    """What the address begins with, in small letters.

    Raises:
        UserError: nothing can be done with such an address.
    """
    found = _SCHEME.match(url.strip())
    scheme = found[0].lower() if found else ""
    if "::" in url:
        raise UserError(f"{without_login(url)} is an address inside of another one: name the file itself.")
    if scheme not in STORES:
        raise UserError(
            f"{without_login(url)} is on no store that is known here: begin with {'://, '.join(STORES)}:// or a path."
        )
    return scheme


def parts_of(url: str) -> SplitResult:
    """Host, port, path and so on.

    Raises:
        UserError: they cannot be told apart.
    """
    try:
        parts = urlsplit(url.strip())
        _ = parts.port  # looked at only now
    except ValueError:
        raise UserError(
            f"{without_login(url)} is no address that can be read: check the server and its port, and write special "
            "characters of a password as %40 and the like."
        ) from None
    return parts


def address_of(url: str, name: str) -> str:
    """Of a file on the store of ``url``, with its login; ``name`` is its path as the store tells it."""
    scheme = scheme_of(url)
    return f"{scheme}://{parts_of(url).netloc}{name}" if scheme in SERVERS else f"{scheme}://{name}"


def file_name(url: str) -> str:
    """Of what the address names, as any disk takes it."""
    return plain(unquote(parts_of(url).path) if scheme_of(url) in WEB else without_login(url))


def plain(path: str) -> str:
    """The last part of a path as a name that any disk takes and that leads nowhere."""
    last = re.split(r"[/\\]", path.rstrip("/\\"))[-1]
    return re.sub(r"[^\w .,()+-]", "_", last).strip(". ")[-200:] or "video"
