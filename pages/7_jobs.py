"""What is being worked on, by whom and on which machine, and how it ended."""

from __future__ import annotations

from pages.widgets.media import open_workspace
from pages.widgets.session_bar import session_bar
from pages.widgets.status import status

session_bar("Jobs")
status(open_workspace())
