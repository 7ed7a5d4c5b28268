"""The ``wardseal`` program: the one place that may know both sides, and loads each lazily."""
