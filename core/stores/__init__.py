"""Footage and results on other machines: object stores, FTP, SFTP, network shares and the web, by address.

    >>> fetch("s3://park/2024/day1.mp4", Path("footage"))                    # doctest: +SKIP
    PosixPath('footage/day1_0c6f3a9be1d2.mp4')
    >>> send(Path("clips/park_01_ollie.mp4"), "s3://park/clips")             # doctest: +SKIP
    's3://park/clips/park_01_ollie.mp4'

fsspec speaks to them. FTP and ``file://`` come with it; the others need a package of their own, which is named where it
is missing. Logins are what those packages look for (``AWS_ACCESS_KEY_ID`` and the like), or user and password in the
address of a server (``ftp://ann:secret@host/``, special characters as ``%40``); no message repeats them. The rest of an
address is taken literally.
"""

from __future__ import annotations

from core.stores.addresses import STORES, file_name, is_below, is_url, local_path, without_login
from core.stores.dropping import drop_copies, dropped_content, note_dropped
from core.stores.fetching import copy_path, fetch
from core.stores.listing import list_videos, sizes
from core.stores.patience import patiently
from core.stores.sending import check_writable, send, send_folder
from core.stores.sentences import StoreAway

__all__ = [
    "STORES", "StoreAway", "check_writable", "copy_path", "drop_copies", "dropped_content", "fetch", "file_name",
    "is_below", "is_url", "list_videos", "local_path", "note_dropped", "patiently", "send", "send_folder", "sizes",
    "without_login",
]  # fmt: skip
