"""The options of ``wardseal keys``: a room of its own on the command line."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Protocol


class Group(Protocol):
    """Adds commands, all in one form: what, how, examples, exit codes."""

    def add(self, name: str, what: str, more: str = "", examples: str = "") -> ArgumentParser: ...


def add(inner: Group) -> None:
    """Add every command of the group."""
    _status(inner)
    _rotate(inner)
    _request(inner)
    _sign(inner)
    _install(inner)
    _rewrap(inner)
    _retire(inner)
    _encrypt(inner)


def _status(inner: Group) -> None:
    status = inner.add(
        "status",
        "say which keys there are, which devices use them, and what keeps old ones",
        "",
        """\
  wardseal keys status --config gateway.toml
  wardseal keys status --config gateway.toml --json
""",
    )
    _config(status)
    status.add_argument("--json", action="store_true", help="one JSON object instead of words")
    status.set_defaults(run="cli.keys_command:status")


def _rotate(inner: Group) -> None:
    rotate = inner.add(
        "rotate",
        "make new keys and a new keyset, where the offline root is at hand",
        """
Request, sign and install in one. Where the root key is on another machine, take the three steps.
Old keys stay until `wardseal keys retire`; devices that have not taken the keyset go on working.
""",
        """\
  wardseal keys rotate keys --offline /media/safe/offline --config gateway.toml --dry-run
  wardseal keys rotate keys --offline /media/safe/offline --config gateway.toml --receipt
""",
    )
    _folder(rotate)
    _receipt(rotate)
    _days(rotate)
    _config(rotate)
    _dry_run(rotate)
    rotate.set_defaults(run="cli.keys_rotation:rotate")


def _request(inner: Group) -> None:
    request = inner.add(
        "request",
        "step 1, on the gateway: make new keys and ask the root to sign for them",
        "The private keys never leave this machine. Run again, it asks for the same keys.\n",
        """\
  wardseal keys request --config gateway.toml /media/stick/request.cose
""",
    )
    request.add_argument("request", type=Path, metavar="REQUEST", help="the file to write")
    _receipt(request)
    _config(request)
    _dry_run(request)
    request.set_defaults(run="cli.keys_rotation:request")


def _sign(inner: Group) -> None:
    sign = inner.add(
        "sign",
        "step 2, where the root key is: sign the next keyset",
        "Says key by key what is new. Compare the ids with those that step 1 printed.\n",
        """\
  wardseal keys sign keys /media/stick/request.cose /media/stick/keyset.cose --dry-run
  wardseal keys sign keys /media/stick/request.cose /media/stick/keyset.cose \\
      --offline /media/safe/offline
""",
    )
    _folder(sign)
    sign.add_argument("request", type=Path, metavar="REQUEST", help="what step 1 wrote")
    sign.add_argument("keyset", type=Path, metavar="KEYSET", help="the file to write")
    _days(sign)
    _dry_run(sign)
    sign.set_defaults(run="cli.keys_rotation:sign")


def _install(inner: Group) -> None:
    install = inner.add(
        "install",
        "step 3, on the gateway: make a signed keyset the newest",
        "Devices are told of it once every gateway that runs was restarted with it.\n",
        """\
  wardseal keys install --config gateway.toml /media/stick/keyset.cose
""",
    )
    install.add_argument("keyset", type=Path, metavar="KEYSET", help="what step 2 wrote")
    _config(install)
    _dry_run(install)
    install.set_defaults(run="cli.keys_rotation:install")


def _rewrap(inner: Group) -> None:
    rewrap = inner.add(
        "rewrap",
        "have sealed copies, here and in object stores, open with the newest key as well",
        """
Envelopes stay as the device signed them; a small file beside each adds the newest keys. Each is
proved by opening the photo, which is fetched from a store for it. May be ended at any time, and
goes on from there.
""",
        """\
  wardseal keys rewrap --config gateway.toml --dry-run
  wardseal keys rewrap --config gateway.toml
""",
    )
    _config(rewrap)
    _dry_run(rewrap)
    rewrap.set_defaults(run="cli.keys_command:rewrap")


def _retire(inner: Group) -> None:
    retire = inner.add(
        "retire",
        "wipe old private keys that nobody needs any more",
        """
Only what no device uses, nothing on its way needs and no sealed copy hangs on. Says what is in the
way. Photos that are kept elsewhere open with the recovery key.
""",
        """\
  wardseal keys retire --config gateway.toml --dry-run
  wardseal keys retire --config gateway.toml
""",
    )
    _config(retire)
    _dry_run(retire)
    retire.set_defaults(run="cli.keys_command:retire")


def _encrypt(inner: Group) -> None:
    encrypt = inner.add(
        "encrypt",
        "encrypt the gateway's private keys to this machine (systemd-creds)",
        """
As root. Each key is encrypted, decrypted again and compared before the one in the clear is wiped.
The unit loads the folder: LoadCredentialEncrypted=wardseal:DIR
""",
        """\
  wardseal keys encrypt --config /etc/wardseal/gateway.toml --to /etc/wardseal/encrypted --dry-run
  wardseal keys encrypt --config /etc/wardseal/gateway.toml --to /etc/wardseal/encrypted
""",
    )
    encrypt.add_argument("--to", type=Path, required=True, metavar="DIR", help="for credentials")
    encrypt.add_argument(
        "--with-key",
        choices=["auto", "host", "tpm2", "host+tpm2"],
        default="auto",
        help="auto: the TPM's and the machine's own key, as far as there are",
    )
    _config(encrypt)
    _dry_run(encrypt)
    encrypt.set_defaults(run="cli.keys_at_rest:encrypt")


def _folder(command: ArgumentParser) -> None:
    command.add_argument("folder", type=Path, metavar="DIR", help="what `pki init` made")
    command.add_argument(
        "--offline", type=Path, metavar="DIR", help="where the keys from the safe are now"
    )


def _receipt(command: ArgumentParser) -> None:
    command.add_argument(
        "--receipt", action="store_true", help="also make a new key that signs receipts"
    )
    command.add_argument(
        "--replaces",
        default="",
        metavar="ID",
        help="the key that the new one takes the place of, as `keys status` names it; without"
        " this, the gateway's own",
    )


def _days(command: ArgumentParser) -> None:
    command.add_argument(
        "--days", type=int, default=730, metavar="N", help="how long the keyset holds (730)"
    )


def _config(command: ArgumentParser) -> None:
    command.add_argument("--config", required=True, type=Path, metavar="FILE")


def _dry_run(command: ArgumentParser) -> None:
    command.add_argument(
        "--dry-run", action="store_true", help="say what would happen, and change nothing"
    )
