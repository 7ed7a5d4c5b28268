"""One tree of errors.

Every error carries a sentence that the person who meets it can act on: a nurse reads a
short form of it on the OLED, an administrator reads it whole, with the setting named.
"""


class WardsealError(Exception):
    """Anything this product raises on purpose; its text is meant to be read."""


class ConfigError(WardsealError):
    """A setting is missing, unknown or of the wrong kind; the text names it."""

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting}: {problem}")
        self.setting = setting
        self.problem = problem


class FormatError(WardsealError):
    """Bytes from outside are not what their specification says they must be."""


class VerificationError(WardsealError):
    """Bytes are well formed, but who signed or sealed them, or for what, does not hold."""


class EnvironmentProblem(WardsealError):
    """The machine lacks something this role needs; the text says how to mend it."""
