"""Which of the doors in doors.py are open, role by role; every other one is shut (P7)."""

SETTINGS = "read the settings"
OPEN = {
    "panel": {
        SETTINGS,
        "be handed device.key",
        "list sealing",
        "write sealing",
        "list outbox",
        "read an envelope",
        "read its entries",
        "change an envelope",
        "move an envelope",
        "write outbox",
        "list mailbox",
        "write mailbox",
        "forge a doorbell",  # it hangs up its own there
        "ring at the panel",
        "ring at the uplink",
        "knock at the darkroom",
        "read the ledger",
        "read how far the ledger is durable",
        "write the ledger",
        "add to the ledger's folder",
        "list the state",
        "write the state",
    },
    "darkroom": {
        SETTINGS,
        "list sealing",
        "write sealing",
        "open a netlink socket",  # in a network of its own, with nobody else in it
    },
    "uplink": {
        SETTINGS,
        "be handed tls.key",
        "list outbox",
        "read an envelope",
        "read its entries",
        "list mailbox",
        "write mailbox",
        "ring at the panel",
        "ring at the uplink",
        "read the ledger",
        "read how far the ledger is durable",
        "open an internet socket",
        "reach this machine",
        "reach the hospital's network",
    },
}

HARDWARE = {
    "panel": {"read the pins", "speak to the display"},
    "darkroom": {"open the camera", "open the camera's media", "take frame memory"},
    "uplink": set[str](),
}
"""The same for device files, which a container has none of."""
