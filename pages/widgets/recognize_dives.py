"""A dive in words, and how probable each of its attributes is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.recognize.dive_classes import DiveClass, attribute_probabilities, prediction_sentence
from core.recognize.dives import somersaults_in_words, twists_in_words
from core.timecode import clock
from pages.widgets import recognize_charts
from pages.widgets.recognize import share


def dive_panel(
    events: Sequence[Mapping[str, Any]], pts_s: NDArray[np.float64], names: Sequence[str], dives: Sequence[DiveClass]
) -> None:
    """Draw the dive that is chosen.

    Args:
        events: as :meth:`core.recognize.naming.NamedEvents.to_json` has them.
        names: of the classes, beside ``dives``.
    """
    with st.container(key="recognize_dive", border=True):
        number = st.selectbox(
            "Dive",
            range(len(events)),
            format_func=lambda one: f"{clock(float(pts_s[events[one]['start_frame']]))} · {events[one]['label']}",
            key="recognize_dive_choice",
            width=360,
        )
        values = np.array([events[number]["probabilities"][name] for name in names], np.float64)
        probabilities = values / values.sum()  # they were rounded on their way here
        st.text(prediction_sentence(probabilities, dives))
        told = attribute_probabilities(probabilities, dives)
        parts = {
            "Takeoff": told.takeoff,
            "Somersaults": _worded(told.half_somersaults, somersaults_in_words),
            "Twists": _worded(told.half_twists, lambda half: twists_in_words(half) if half else "no twist"),
            "Position": told.position,
        }
        for column, (title, shares) in zip(st.columns(len(parts)), parts.items(), strict=True):
            with column:
                st.caption(title)
                spoken = ", ".join(f"{name} {share(value)}" for name, value in shares.items())
                st.altair_chart(
                    recognize_charts.shares(shares), key=f"recognize_dive_{title}", alt=f"{title}: {spoken}"
                )


def _worded(halves: Mapping[int, float], words: Any) -> dict[str, float]:
    return {words(half): value for half, value in sorted(halves.items())}
