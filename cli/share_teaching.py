"""``wardseal share --teaching``: a copy without anything that names somebody, on a person's word.

In two steps, for a shell shows no picture: ``--look FILE`` writes the copy and says its SHA-256,
and ``--looked-at SHA256`` asks four questions about it before the very same copy is given.
"""

import sys
from argparse import Namespace
from collections.abc import Callable

from cli.outcome import UsageError
from gateway.sharing.redacting import Plan
from gateway.sharing.shares import Form
from gateway.sharing.teaching import CHECKS, Given, Teaching

YES = "none"


def plan_of(arguments: Namespace) -> Plan:
    """Return what is to be taken out. Raises NotRedacted."""
    return Plan.of(arguments.keep or "", ";".join(arguments.black or ()))


def look(teaching: Teaching, arguments: Namespace) -> bytes:
    """Return the copy to be looked at, and say what it is called."""
    copy = teaching.copy(arguments.photo, plan_of(arguments))
    print(f"{copy.picture.width} x {copy.picture.height}, {copy.plan.words}", file=sys.stderr)
    print("Look at it large, and then give it with --looked-at", file=sys.stderr)
    print(copy.digest)
    return copy.picture.jpeg


def give(teaching: Teaching, arguments: Namespace, ask: Callable[[str], str] = input) -> Given:
    """Ask about each thing that must not be in it, and give the copy."""
    confirmed = []
    print(f"You have looked at {arguments.looked_at[:12]}. Answer {YES}, or stop.", file=sys.stderr)
    for name, words in CHECKS.items():
        try:
            answer = ask(f"There is {words}: ")
        except EOFError:
            answer = ""
        if answer.strip().casefold() != YES:
            raise UsageError(f"nothing is given: {name} was not confirmed; use --black")
        confirmed.append(name)
    return teaching.give(
        arguments.photo,
        plan_of(arguments),
        looked_at=arguments.looked_at,
        confirmed=confirmed,
        to=arguments.to,
        reason=arguments.reason,
        by=arguments.by,
        form=Form(arguments.form),
    )
