"""The light recognizer: frozen layers of the pose network and a logistic regression.

:mod:`.sight` and :mod:`.moment` find what to look at, :mod:`.backbone` and :mod:`.changes` make features of it, which
:mod:`.features` keeps; :mod:`.judge` decides, :mod:`.recognizer` is what is trained, saved and used, and
:mod:`.validation` says what it is worth.
"""
