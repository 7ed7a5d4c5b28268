"""Where a photo goes: one module per kind of record system, all of one shape."""
