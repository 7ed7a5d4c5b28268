"""The REST API under ``/api/v1``: what the console does, for the hospital's own programs.

It runs in the console's process, so it has no photo key either, and calls the same rooms. What
it answers, checks and documents comes from one place: the types in ``shapes``.
"""
