"""What both sides stand on. Nothing in here knows of a ward, a hospital or a photo."""

__version__ = "0.1.0"
