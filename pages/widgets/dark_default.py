"""Opens the studio dark, because footage reads better so, until somebody chooses otherwise in Streamlit's menu.

A theme for dark and one for light bring the choice into the menu, but with both Streamlit begins with the desktop's.
"""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SCRIPT = b"""<script>
try {
  const key = `stActiveTheme-${location.pathname}-v2`;
  if (localStorage.getItem(key) === null) localStorage.setItem(key, '"Dark"');
} catch {} // without a store the desktop decides
</script>"""
"""Where Streamlit 1.67 keeps what was chosen. A version that looks elsewhere begins with the desktop's theme."""


class DarkByDefault:
    """Middleware that puts a choice into the browser's store before Streamlit's page looks for one."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or Headers(scope=scope).get("sec-fetch-dest") != "document":
            await self.app(scope, receive, send)
            return
        # Streamlit compresses some addresses' page; it is a few kilobytes, and has to be read here.
        plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        scope = {**scope, "headers": plain}
        start: Message | None = None

        async def answer(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_page(Headers(raw=message["headers"])):
                start = message  # its length is known once the page is
                return
            if start is not None:
                sent = message.get("body", b"")
                body = sent.replace(b"<head>", b"<head>" + _SCRIPT, 1)
                headers = MutableHeaders(scope=start)
                headers["content-length"] = str(int(headers["content-length"]) + len(body) - len(sent))
                await send(start)
                start, message = None, {**message, "body": body}
            await send(message)

        await self.app(scope, receive, answer)


def _is_page(headers: Headers) -> bool:
    """Whether this is Streamlit's page, of known length."""
    return "content-length" in headers and headers.get("content-type", "").startswith("text/html")
