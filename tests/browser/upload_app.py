"""A page with nothing but the drop area, in a studio with nothing but the media routes: for the tests."""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

if get_script_run_ctx(suppress_warning=True) is None:
    from pages.widgets.media_routes import MIDDLEWARE, ROUTES

    app = st.App(__file__, routes=ROUTES, middleware=MIDDLEWARE)
else:
    from pages.widgets.media import open_workspace
    from pages.widgets.upload import take, uploader

    def upload_page() -> None:
        for video in uploader("footage"):
            session = open_workspace().session_for(video.path, name=video.name)
            take(video)
            st.session_state.setdefault("added", []).append(f"{session.name} ({session.path.parent.name})")
        st.text("\n".join(st.session_state.get("added", ["nothing added yet"])))
        st.button("Rerun")

    def other_page() -> None:
        st.text("another page")

    st.navigation([st.Page(upload_page, title="Upload", default=True), st.Page(other_page, title="Other")]).run()
