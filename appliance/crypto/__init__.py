"""Keys that the device holds, and keys that it believes."""
