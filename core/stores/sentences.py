"""What stores raise, in sentences."""

from __future__ import annotations

import errno
import ftplib
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import UserError


class StoreAway(UserError):
    """A store does not answer now; who can wait should ask again."""


_ERRORS = (
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("aiohttp", "ClientError"),
    ("gcsfs.retry", "HttpError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("azure.core.exceptions", "AzureError"),
    ("paramiko", "SSHException"),
    ("smbprotocol.exceptions", "SMBException"),
)
"""What their packages raise that is no OSError."""
_NO_WAY = (errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTUNREACH, errno.EHOSTDOWN)


def store_errors() -> tuple[type[Exception], ...]:
    """What a store may raise: OSError, and what fsspec and the packages that are loaded raise beside it, such as
    ValueError for a line break in a name or for settings that lack."""
    loaded = [getattr(sys.modules[module], name) for module, name in _ERRORS if sys.modules.get(module)]
    return (OSError, ftplib.Error, EOFError, ValueError, *loaded)


@contextmanager
def in_a_sentence(shown: str, writing: bool = False) -> Iterator[None]:
    """What a store raises becomes a UserError. Never in the store's own words, which may hold the login."""
    what = "written" if writing else "read"
    try:
        yield
    except FileNotFoundError as error:
        cause = error.__cause__  # of the web fsspec says it of whatever goes wrong
        if type(cause).__module__.startswith("aiohttp") and getattr(cause, "status", None) != 404:
            raise StoreAway(f"{shown} cannot be {what}: check the address and the network.") from None
        raise UserError(f"There is no {shown}: check the address.") from None
    except (NotADirectoryError, IsADirectoryError, FileExistsError):
        raise UserError(
            f"{shown} cannot be {what}, because a file stands where a folder is needed or the other way round: check "
            "the address."
        ) from None
    except PermissionError:
        raise UserError(f"{shown} may not be {what}: check the login and its rights.") from None
    except ftplib.Error as error:
        raise UserError(_ftp_sentence(shown, what, str(error))) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            if not writing:
                raise  # the disk here, whose folder the caller tells
            raise UserError(f"There is no room for {shown}: free some space there.") from None
        # The system's words for the number, and not the error's own.
        reason = f" ({os.strerror(error.errno)})" if error.errno and error.errno > 0 else ""
        kind = StoreAway if _is_network(error) else UserError
        raise kind(f"{shown} cannot be reached{reason}: check the address and the network.") from None
    except EOFError:  # of FTP: the server hung up
        raise StoreAway(f"{shown} could not be {what}, because the server broke off: try again.") from None
    except store_errors():
        raise UserError(f"{shown} cannot be {what}: check the address, the network and the login.") from None


def _is_network(error: OSError) -> bool:
    return isinstance(error, (ConnectionError, TimeoutError, socket.gaierror)) or error.errno in _NO_WAY


def _ftp_sentence(shown: str, what: str, answer: str) -> str:
    """For the answer of an FTP server (codes: RFC 959)."""
    code = answer[:3]
    if code == "530":
        return f"The server of {shown} refuses the login: check user and password."
    if code in ("452", "552") or "space" in answer.lower():
        return f"There is no room for {shown}: free some space there."
    if code in ("550", "553"):
        return f"{shown} may not be {what}, or is not there: check the address and the rights of the login."
    why = " (its disk may be full)" if what == "written" else ""
    return f"{shown} could not be {what}, because the server broke off{why}: try again."
