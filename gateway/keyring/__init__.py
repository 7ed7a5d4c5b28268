"""The hospital's keys: read, made anew, announced to devices, retired when nothing needs them."""
