"""Which trick was it: moments get names.

:mod:`core.recognize.samples` is what every data set becomes, :mod:`core.recognize.splits` parts it without leaks.
"""
