"""The PDF report of a photo: what a clinician would put in a letter."""
