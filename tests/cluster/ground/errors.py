"""The one error that the cluster tool shows to people."""


class GroundError(Exception):
    """What is wrong and what to do about it, in one sentence."""
