"""The virtual device as a web page on loopback, and beside it what the hospital received.

The demo serves it to whoever sits at this machine: ``server`` binds 127.0.0.1 and nothing else,
``guard`` lets nobody in who does not know the address that the demo printed. The page shows the
pixels that the real screen driver has written to the simulated bus, presses the simulated
copper below the real button driver, and pulls plugs that are really pulled: a cable, a process,
the power. Nothing of it exists on a production image.
"""
