"""The web pages for people in the hospital: a process of its own that holds no photo key.

It reads the gateway's database and the opened pictures beside it, and writes three things only:
who looked at what, what a person decided on the worklist, and who is signed in.
"""
