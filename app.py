"""The studio. Start it with ``make app`` or ``streamlit run app.py``.

The file is read twice: the server imports it for the routes of footage and uploads, and runs it for each view.
"""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

if get_script_run_ctx(suppress_warning=True) is None:
    from starlette.middleware import Middleware
    from streamlit.runtime.pages_manager import PagesManager

    from pages.widgets.dark_default import DarkByDefault
    from pages.widgets.media_routes import MIDDLEWARE, ROUTES

    # Else the first view of a fresh server would take the folder pages for Streamlit's own kind of navigation.
    PagesManager.uses_pages_directory = False
    app = st.App(__file__, routes=ROUTES, middleware=[*MIDDLEWARE, Middleware(DarkByDefault)])
else:
    from pages.widgets.navigation import navigate

    navigate()
