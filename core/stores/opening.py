"""The store that an address is on, opened."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from core.errors import UserError
from core.stores.addresses import SERVERS, STORES, WEB, parts_of, scheme_of, without_login

TIMEOUT_S = 20.0
"""How long a server may be silent, seconds."""


def open_store(url: str) -> tuple[Any, str]:
    """The store of an address, an fsspec file system, and the path in it.

    Raises:
        UserError: no such store is known, its package is missing, or the address makes no sense.
        Exception: what the store raises where it cannot be reached; see :func:`core.stores.sentences.in_a_sentence`.
    """
    import fsspec.core

    scheme, parts = scheme_of(url), parts_of(url)
    options: dict[str, Any] = {"skip_instance_cache": True}
    address = url.strip()
    if scheme in SERVERS:
        if not parts.hostname:
            raise UserError(f"{without_login(url)} names no server: write {scheme}://server/folder/file.")
        login = {"username": parts.username, "password": parts.password}
        options |= {key: unquote(value) for key, value in login.items() if value is not None}
        address = address.replace(parts.netloc, parts.netloc.rpartition("@")[2], 1)
        if scheme != "smb":
            options["timeout"] = TIMEOUT_S
    elif parts.password is not None:
        raise UserError(
            f"Keys do not belong into the address {without_login(url)}: set them where {STORES[scheme]} looks for them."
        )
    try:
        if scheme in WEB:
            from aiohttp import ClientTimeout

            silent = ClientTimeout(total=None, sock_connect=TIMEOUT_S, sock_read=TIMEOUT_S)
            options["client_kwargs"] = {"timeout": silent, "headers": {"Accept-Encoding": "identity"}}
        store, path = fsspec.core.url_to_fs(address, **options)
    except ImportError:
        raise UserError(
            f"For addresses that begin with {scheme}:// the package {STORES[scheme]} is needed: install it with pip "
            f"install {STORES[scheme]}."
        ) from None
    return store, str(store._strip_protocol(path))


def protocols(store: Any) -> tuple[str, ...]:
    """What the addresses of a store may begin with."""
    return (store.protocol,) if isinstance(store.protocol, str) else tuple(store.protocol)
