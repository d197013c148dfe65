"""What is in a folder of a store."""

from __future__ import annotations

from pathlib import PurePosixPath
from urllib.parse import unquote

from core.errors import UserError
from core.footage_folder import VIDEO_TYPES, natural
from core.stores.addresses import WEB, address_of, parts_of, scheme_of, without_login
from core.stores.opening import open_store
from core.stores.sentences import in_a_sentence


def list_videos(url: str) -> list[str]:
    """The addresses of all videos in a folder or under a prefix, and in the folders in it, in natural order.

    They carry the login of ``url``, so that they can be fetched: show them by :func:`without_login`. What is a video
    its ending tells; hidden files and folders are left out. Folders inside that may not be listed are passed over. The
    web has no folders: there ``url`` is that of a video.

    Raises:
        UserError: as :func:`core.stores.fetch`.
    """
    if scheme_of(url) in WEB:
        if PurePosixPath(unquote(parts_of(url).path)).suffix.lower() not in VIDEO_TYPES:
            raise UserError(f"{without_login(url)} is no video's address: it should end in .mp4 or the like.")
        return [url.strip()]
    with in_a_sentence(without_login(url)):
        store, path = open_store(url)
        store.ls(path)  # the search below is silent about a folder that is not there or may not be listed
        names = store.find(path)
    inside = [name for name in names if not _hidden(name.removeprefix(path))]
    videos = [name for name in inside if PurePosixPath(name).suffix.lower() in VIDEO_TYPES]
    return [address_of(url, name) for name in sorted(videos, key=natural)]


def sizes(url_folder: str) -> dict[str, int]:
    """The names of the files in a folder, without those in folders in it, and their sizes in bytes, by one question;
    none if there is no such folder.

    Raises:
        UserError: as :func:`core.stores.fetch`.
    """
    with in_a_sentence(without_login(url_folder)):
        store, path = open_store(url_folder)
        try:
            inside = store.ls(path, detail=True)
        except FileNotFoundError:
            return {}
    return {PurePosixPath(one["name"]).name: int(one["size"] or 0) for one in inside if one["type"] == "file"}


def _hidden(inside: str) -> bool:
    return any(part.startswith((".", "$")) for part in inside.split("/"))
