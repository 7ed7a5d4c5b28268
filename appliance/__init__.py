"""The ward device: three roles, three sandboxes, two buttons."""
