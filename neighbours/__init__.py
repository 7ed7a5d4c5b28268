"""A hospital's other systems, as real programs: archive, FHIR server, object store, ADT.

``./demo --full`` shows a photo in each of them; the tests and the benches speak to the same ones.
They listen on loopback, remember nothing after their end, and end with whoever started them.
Nothing of this is shipped: a hospital has systems of its own. What they need, ``./test`` and
``./demo --full`` install (scripts/setup.sh).
"""
