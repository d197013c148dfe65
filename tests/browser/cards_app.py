"""A page with nothing but the cards of twelve tricks, in a studio with nothing but the media routes: for the tests."""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

if get_script_run_ctx(suppress_warning=True) is None:
    from pages.widgets.media_routes import MIDDLEWARE, ROUTES

    app = st.App(__file__, routes=ROUTES, middleware=MIDDLEWARE)
else:
    from core import previews
    from core.intervals import Event
    from core.reviews import reviews, undo
    from core.settings import ClipSettings
    from core.tricks import tricks
    from core.video import Video
    from pages.widgets.cards import Shown, cards, inside_s, make_card, take
    from pages.widgets.media import footage_url, open_workspace, publish_parts

    FOUND = [Event(50 * n + 10, 50 * n + 40, f"trick {n}", 0.95 - 0.05 * n) for n in range(12)]

    workspace = open_workspace()
    session = workspace.sessions()[0]
    video = Video.open(session.path)
    state = st.session_state

    def save() -> None:
        state["saves"] = state.get("saves", 0) + 1
        taken = take(workspace, session.id, state["cards"]["decisions"])
        if taken and not state.get("deaf"):
            state["ack"] = taken.ack

    def show() -> None:
        state["picked"] = state["cards"]["picked"]

    def take_back() -> None:
        undo(workspace, session.id)

    listed = tricks(FOUND, reviews(workspace, session.id))
    no_padding = ClipSettings(clip_padding_s=0.2)
    cards(
        "cards",
        Shown(
            session.id,
            footage_url(session.id),
            publish_parts(session.id, lambda frame: previews.still(video, workspace, session.id, frame)),
            inside_s(video),
            [
                make_card(t, video, no_padding, t.found.start_frame + 15, "clip 1", f"Why of {t.found.label}.")
                for t in listed
            ],
            state.get("ack"),
        ),
        save,
        show,
        take_back,
    )
    st.checkbox("Deaf", key="deaf")
    st.text(f"picked {state.get('picked')}")
    st.text(f"{len(listed)} tricks, saved {state.get('saves', 0)} times")
    st.button("Rerun")
