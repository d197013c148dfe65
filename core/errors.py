"""The exceptions that are no faults of Trickline's."""


class UserError(Exception):
    """A mistake of the user's: one sentence that says what is wrong with which file and what to do.

    The command line prints it without a traceback and exits with 2; the app shows it as a message. Anything else that
    is raised is a fault of Trickline's and keeps its traceback.
    """


class NobodySeen(UserError):
    """Nobody is in view in a whole video. What needs a person refuses it; the rest goes on without."""


class Cancelled(Exception):
    """The user stopped a step: nothing half-written is left, finished parts stay, and a later run carries on there."""
