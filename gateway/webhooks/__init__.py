"""Telling the hospital's other systems what became of a photo, by signed HTTPS requests."""
