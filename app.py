"""The studio. Start it with ``make app`` or ``streamlit run app.py``."""

import streamlit as st

st.set_page_config(page_title="Trickline", layout="wide")
st.navigation([st.Page("pages/1_upload.py", title="Upload", icon=":material/upload:", default=True)]).run()
