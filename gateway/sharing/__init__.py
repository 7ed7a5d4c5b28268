"""One photo for one named person outside the hospital: a file, and a pass-phrase told apart."""
