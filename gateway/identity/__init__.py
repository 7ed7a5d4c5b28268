"""Whose photo it is: the wristband names the patient, the bed confirms, or a person decides."""
