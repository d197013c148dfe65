"""The studio. Start it with ``make app`` or ``streamlit run app.py``."""

import streamlit as st

from core.errors import UserError

st.set_page_config(page_title="Trickline", layout="wide")
page = st.navigation([st.Page("pages/1_upload.py", title="Upload", icon=":material/upload:", default=True)])
try:
    page.run()
except UserError as error:
    st.error(str(error))
