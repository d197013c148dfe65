"""A real FTP server of this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

PASSWORD = "s3cr:t@park"
LOGIN = "rider7:s3cr%3At%40park@"
SECRETS = ("s3cr", "rider7")
"""What no message, note or name may hold."""


@dataclass(frozen=True)
class Remote:
    """A server, and the folder that it shows."""

    folder: Path
    port: int
    login: str = LOGIN
    sent: list[str] = field(default_factory=list)
    """Names of the files that it was asked for, in order."""

    def url(self, path: str) -> str:
        return f"ftp://{self.login}127.0.0.1:{self.port}/{path}"

    def shown(self, path: str) -> str:
        return f"ftp://127.0.0.1:{self.port}/{path}"


@contextmanager
def ftp_server(folder: Path, port: int = 0) -> Iterator[Remote]:
    """Rider7 may do everything, everybody may read. 0 is a port that is free."""
    folder.mkdir(exist_ok=True)
    sent: list[str] = []
    users = DummyAuthorizer()
    users.add_user("rider7", PASSWORD, str(folder), perm="elradfmwMT")
    users.add_anonymous(str(folder))

    class Handler(FTPHandler):  # type: ignore[misc]
        authorizer = users
        auth_failed_timeout = 0.1

        def on_file_sent(self, file: str) -> None:
            sent.append(Path(file).name)

    server = FTPServer(("127.0.0.1", port), Handler)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            server.serve_forever(timeout=0.02, blocking=False, handle_exit=False)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield Remote(folder, server.address[1], sent=sent)
    finally:
        stop.set()
        thread.join()
        server.close_all()
