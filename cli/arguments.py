"""Every command with its options, its examples and its exit codes: what --help shows."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Final

from base import __version__
from cli import key_arguments
from cli.outcome import EXIT_CODES

_ABOUT: Final = """\
Wardseal takes clinical photographs from the ward to the record: consented, sealed to the
hospital's keys, signed for, wiped. This one program makes the keys, runs the ward device and the
hospital's gateway, and checks what they leave behind.
"""

_FIRST: Final = """\
examples:
  wardseal demo --once                        see one photo travel, with nothing to set up
  wardseal pki init keys --site st-mary       make a hospital's keys
  wardseal pki device keys ward-a-1           make a device's keys and register it
  wardseal check                              what protects this machine, and what does not
  wardseal ledger verify FILE --key PUBLIC    does a device's ledger hold? (no network needed)
  wardseal COMMAND --help                     options and examples of one command
"""

_KEY: Final = "a file (PEM or COSE_Key), or the COSE_Key in hexadecimal"


class _Layout(RawDescriptionHelpFormatter):
    """Our own line breaks, and room for the longest option beside its explanation."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=100)


class _Command:
    """Adds commands to a parser, all in one form: what, how, examples, exit codes."""

    def __init__(self, owner: ArgumentParser) -> None:
        self._commands = owner.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(self, name: str, what: str, more: str = "", examples: str = "") -> ArgumentParser:
        shown = f"examples:\n{examples}\n" if examples else ""
        return self._commands.add_parser(
            name,
            help=what,
            description=f"{what[0].upper()}{what[1:]}.\n{more}",
            epilog=shown + EXIT_CODES,
            formatter_class=_Layout,
            allow_abbrev=False,
        )


def parser() -> ArgumentParser:
    """Return the whole command line; ``run`` in the result names the function to call."""
    top = ArgumentParser(
        prog="wardseal",
        description=_ABOUT,
        epilog=f"{_FIRST}\n{EXIT_CODES}",
        formatter_class=_Layout,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"wardseal {__version__}")
    commands = _Command(top)
    _demo(commands)
    _check(commands)
    _ledger(commands)
    _open(commands)
    _labels(commands)
    _pki(commands)
    key_arguments.add(
        _Command(commands.add("keys", "new keys for the gateway, and the end of old ones"))
    )
    _run(commands)
    _patient(commands)
    _share(commands)
    _console(commands)
    _token(commands)
    return top


def _demo(commands: _Command) -> None:
    commands.add("demo", "a virtual device, a gateway and a broker on this machine")


def _check(commands: _Command) -> None:
    check = commands.add(
        "check",
        "say what protects this machine, what does not, and how to mend it",
        """
Looks only; changes nothing. Each line is one of
  ok       in order
  off      a protection that this machine does not have
  BROKEN   the role, or what the settings name, cannot work or be trusted like this
Without --role it looks at everything that can be judged without one.
With --wiring it asks instead, and switches lamp, buzzer and screen; no photo is taken.
""",
        """\
  wardseal check
  wardseal check --role darkroom
  sudo -u wardseal-panel wardseal check --role panel --config /etc/wardseal/appliance.toml
  wardseal check --role gateway --config gateway.toml --json
  wardseal check --wiring --config /etc/wardseal/appliance.toml
""",
    )
    check.add_argument("--role", choices=["panel", "darkroom", "uplink", "gateway"])
    check.add_argument(
        "--config", type=Path, metavar="FILE", help="also look at what these settings name"
    )
    check.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    check.add_argument(
        "--wiring",
        action="store_true",
        help="walk through a ward device's buttons, foot switch, lamp, buzzer, screen and camera,"
        " one by one, while its panel is stopped (with --config)",
    )
    check.set_defaults(run="cli.check:check")


def _ledger(commands: _Command) -> None:
    ledger = commands.add("ledger", "read a device's ledger, and check that it holds")
    inner = _Command(ledger)
    show = inner.add(
        "show",
        "tell a ledger's entries in words",
        "Shows what the file says without checking it; `ledger verify` does that.\n",
        """\
  wardseal ledger show 5d0c...e1.wsl
  wardseal ledger show 5d0c...e1.wsl --json | jq 'select(.type == "LOST")'
""",
    )
    show.add_argument("file", type=Path, metavar="FILE", help="a ledger (.wsl)")
    show.add_argument("--json", action="store_true", help="one JSON object a line, one an entry")
    show.set_defaults(run="cli.ledger_show:show")
    verify = inner.add(
        "verify",
        "check every signature, number and link of a ledger",
        """
Says HOLDS, or DOES NOT HOLD with each fault, the entry it is in and the byte where that begins.
Needs no network. With a checkpoint (the hospital's countersignature) it also says up to where
the hospital has stored this ledger, and finds entries missing at the end.
""",
        """\
  wardseal ledger verify 5d0c...e1.wsl --key device.pub
  wardseal ledger verify 5d0c...e1.wsl --key a4010120...
  wardseal ledger verify 5d0c...e1.wsl --key device.pub \\
      --checkpoint checkpoint.cose --receipt-key receipt.pub
""",
    )
    verify.add_argument("file", type=Path, metavar="FILE", help="a ledger (.wsl)")
    verify.add_argument(
        "--key",
        "--public-key",
        required=True,
        metavar="PUBLIC",
        help=f"the device's public key: {_KEY}",
    )
    verify.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="a countersignature by the hospital"
    )
    verify.add_argument(
        "--receipt-key",
        metavar="PUBLIC",
        help="the hospital's public receipt key, which checks the countersignature",
    )
    verify.add_argument("--json", action="store_true", help="one JSON object instead of words")
    verify.set_defaults(run="cli.ledger_verify:verify")


def _labels(commands: _Command) -> None:
    labels = commands.add(
        "labels",
        "make a sheet of disposable labels to print and lay beside a wound",
        """
A label in the picture gives the photo its scale, the light's colour, site and side. Its text is a
wound's number (W2) if there is one, a site in capital letters, and L or R: "W2 HEEL L". Common
sites are printed in words of the ward's language; others get theirs after "=".
""",
        """\
  wardseal labels "W1 HEEL L" "W2 HEEL L" SACRUM -o labels.pdf
  wardseal labels "MIDFOOT R=Mittelfuß" --language de --sheet l7160 --copies 21 -o labels.pdf
  wardseal labels --list sites.txt --sheet l7651 --skip 12 -o labels.pdf
  wardseal labels --sites --language fr
""",
    )
    labels.add_argument("label", nargs="*", metavar="LABEL", help='such as "W2 HEEL L"')
    labels.add_argument("--list", type=Path, metavar="FILE", help="labels, one a line; # a remark")
    labels.add_argument(
        "--sheet",
        choices=["a4", "l7160", "l7651", "letter"],
        default="a4",
        help="a4, letter: plain paper, to cut out; l7160: A4 label sheets of 21, 63.5 x 38.1 mm;"
        " l7651: A4 label sheets of 65, 38.1 x 21.2 mm (Avery's numbers)",
    )
    labels.add_argument("--language", choices=["en", "de", "fr", "es"], default="en")
    labels.add_argument("--copies", type=int, default=1, metavar="N", help="of each label")
    labels.add_argument(
        "--skip", type=int, default=0, metavar="N", help="labels used up on the first sheet"
    )
    labels.add_argument("-o", "--output", type=Path, default=Path("labels.pdf"), metavar="FILE.pdf")
    labels.add_argument("--force", action="store_true", help="replace FILE.pdf if it exists")
    labels.add_argument("--sites", action="store_true", help="tell the sites that have names here")
    labels.set_defaults(run="cli.labels:labels")


def _open(commands: _Command) -> None:
    opening = commands.add(
        "open",
        "open a sealed photo by hand",
        """
FILE is a photo file (envelope and ledger entries together) or an envelope (.cose) alone. Says
VERIFIED when the device that --device-key belongs to signed exactly this photo under a consent,
else NOT VERIFIED and why. What opens but could not be checked is written all the same; what was
checked and FAILED is written only with --unverified. The exit code is 0 for VERIFIED only.
The photo is written in the clear, for its owner alone (mode 0600).
""",
        """\
  wardseal open 91ab...cose --key opening.key -o photo.jpg
  wardseal open 91ab...wardseal --key recovery.key --device-key device.pub -o photo.jpg
  wardseal open 91ab...cose --key opening.key --device-key device.pub \\
      --entries 5d0c...e1.wsl -o photo.jpg
""",
    )
    opening.add_argument("file", type=Path, metavar="FILE", help="a photo file or an envelope")
    opening.add_argument(
        "--key",
        type=Path,
        required=True,
        help="the private key: gateway/opening.key or offline/recovery.key",
    )
    opening.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.jpg")
    opening.add_argument("--device-key", metavar="PUBLIC", help=f"the device's public key: {_KEY}")
    opening.add_argument(
        "--entries",
        type=Path,
        metavar="FILE",
        help="for an envelope: a ledger (.wsl), or the entries a device keeps beside it (.init)",
    )
    opening.add_argument("--force", action="store_true", help="replace OUT.jpg if it exists")
    opening.add_argument(
        "--unverified", action="store_true", help="write the photo even when a check failed"
    )
    opening.add_argument("--json", action="store_true", help="one JSON object instead of words")
    opening.set_defaults(run="cli.open_photo:open_photo")


def _pki(commands: _Command) -> None:
    inner = _Command(commands.add("pki", "make the keys of a hospital and of its devices"))
    init = inner.add(
        "init",
        "make all keys of one site",
        """
Makes DIR and says what is where and what must go into a safe. Never overwrites anything.
Do this on a machine that you trust, best without a network.
""",
        """\
  wardseal pki init keys --site st-mary --host broker.st-mary.example
  wardseal pki init keys --site st-mary --suite p256
""",
    )
    init.add_argument("folder", type=Path, metavar="DIR", help="a folder that does not exist yet")
    init.add_argument("--site", required=True, metavar="NAME", help="1 to 32 of a-z, 0-9 and -")
    init.add_argument(
        "--suite",
        choices=["mlkem768-x25519", "p256"],
        default="mlkem768-x25519",
        help="what photos are sealed with: the default stays closed to a quantum computer, p256 is"
        " for sites that must use a classical approved suite",
    )
    init.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="NAME",
        help="a host name or address of the broker; may be given again. This machine's own"
        " (localhost, 127.0.0.1, ::1) are always included",
    )
    init.set_defaults(run="cli.pki_command:init")
    device = inner.add(
        "device",
        "make one device's keys and register it with the gateway",
        """
Needs the authority's key (ca.key) from the safe. A device's name is never used again.
""",
        """\
  wardseal pki device keys ward-a-1 --bed "A1"
  wardseal pki device keys ward-a-2 --offline /media/safe/offline
""",
    )
    device.add_argument("folder", type=Path, metavar="DIR", help="what `pki init` made")
    device.add_argument("id", metavar="ID", help="the device's name: 1 to 32 of a-z, 0-9 and -")
    device.add_argument("--bed", default="", metavar="TEXT", help="where it stands")
    device.add_argument(
        "--offline", type=Path, metavar="DIR", help="where the keys from the safe are now"
    )
    device.set_defaults(run="cli.pki_command:device")


def _run(commands: _Command) -> None:
    inner = _Command(commands.add("appliance", "the ward device"))
    run = inner.add(
        "run",
        "run one of the device's three roles until it is ended",
        """
  panel     buttons, screen, lamp, ledger: everything that is decided
  darkroom  one consent's camera; its descriptor 0 is the panel's connection
  uplink    the way to the broker
""",
        """\
  wardseal appliance run --role panel --config /etc/wardseal/appliance.toml
""",
    )
    run.add_argument("--role", required=True, choices=["panel", "darkroom", "uplink"])
    run.add_argument("--config", required=True, type=Path, metavar="FILE")
    run.set_defaults(run="cli.run:appliance")
    inner = _Command(commands.add("gateway", "the hospital's side"))
    run = inner.add(
        "run",
        "take photos in, open and file them, and sign for them",
        "",
        """\
  wardseal gateway run --config /etc/wardseal/gateway.toml
""",
    )
    run.add_argument("--config", required=True, type=Path, metavar="FILE")
    run.set_defaults(run="cli.run:gateway")
    backup = inner.add(
        "backup",
        "write database and sealed photos into one file",
        """
May be done while the gateway runs. Keys are left out: they have a safe of their own.
""",
        """\
  wardseal gateway backup --config gateway.toml /backup/wardseal-2026-03-01.tar
""",
    )
    backup.add_argument("--config", required=True, type=Path, metavar="FILE")
    backup.add_argument("file", type=Path, metavar="BACKUP", help="a file that does not exist yet")
    backup.set_defaults(run="cli.backup:backup")
    restore = inner.add(
        "restore",
        "put a backup into an empty gateway",
        """
Goes into an empty database and an empty state folder only, with the gateway stopped. What was on
SQLite may be restored to PostgreSQL, and the other way round: the settings say where it goes.
""",
        """\
  wardseal gateway restore --config gateway.toml /backup/wardseal-2026-03-01.tar
""",
    )
    restore.add_argument("--config", required=True, type=Path, metavar="FILE")
    restore.add_argument("file", type=Path, metavar="BACKUP")
    restore.set_defaults(run="cli.backup:restore")


def _patient(commands: _Command) -> None:
    inner = _Command(commands.add("patient", "what the gateway knows of one patient"))
    export = inner.add(
        "export",
        "write everything of one patient into a folder",
        """
On the gateway's machine, with its keys. Photos, consents and the signed ledger entries behind
them, uses, record systems, moves, who looked. The folder names the patient: give it to nobody else.
""",
        """\
  wardseal patient export 4711 --config gateway.toml /media/request-4711
""",
    )
    export.add_argument("patient", metavar="ID", help="the hospital's record number")
    export.add_argument("--config", required=True, type=Path, metavar="FILE")
    export.add_argument("folder", type=Path, metavar="DIR", help="a folder that does not exist yet")
    export.set_defaults(run="cli.patient:export")


def _share(commands: _Command) -> None:
    share = commands.add(
        "share",
        "make a file of one photo for one named person outside",
        """
On the gateway's machine, with its keys. Refused unless the table of uses allows it (not after an
objection). Logged with recipient and reason before the file is written. The file opens with six
words, made here and shown once: a PDF in any reader, or a web page in a desktop browser, offline.

A teaching copy (--teaching, where the patient agreed to that) names nobody and has no pass-phrase.
It is made anew from its pixels without what --black and --keep take out, looked at, and confirmed.
""",
        """\
  wardseal share 91ab...02 --to "Dr A. Osei, Hill Clinic" --reason "second opinion" \\
      --by "J. Doe" --config gateway.toml -o photo.pdf
  wardseal share 91ab...02 --to "Dr A. Osei, Hill Clinic" --reason "second opinion" \\
      --by "J. Doe" --form html --config gateway.toml -o photo.html
  wardseal share 91ab...02 --to "Prof. Lind" --reason "lecture" --by "J. Doe" --form jpg \\
      --teaching --black 0,0,800,300 --look --config gateway.toml -o look.jpg
  wardseal share 91ab...02 --to "Prof. Lind" --reason "lecture" --by "J. Doe" --form jpg \\
      --teaching --black 0,0,800,300 --looked-at 5d0c...e1 --config gateway.toml -o lesson.jpg
""",
    )
    share.add_argument("photo", metavar="PHOTO", help="the photo's id")
    share.add_argument("--to", required=True, metavar="TEXT", help="the one person it is for")
    share.add_argument("--reason", required=True, metavar="TEXT")
    share.add_argument("--by", required=True, metavar="TEXT", help="who shares it")
    share.add_argument("--form", choices=["pdf", "html", "jpg", "dcm"], default="pdf")
    share.add_argument("--config", required=True, type=Path, metavar="FILE")
    share.add_argument("-o", "--output", type=Path, required=True, metavar="OUT")
    share.add_argument("--teaching", action="store_true", help="a copy that names nobody")
    box = "X,Y,W,H"
    share.add_argument("--black", action="append", metavar=box, help="black this part out")
    share.add_argument("--keep", metavar=box, help="keep only this part")
    share.add_argument("--look", action="store_true", help="only write the copy to look at")
    share.add_argument("--looked-at", metavar="SHA256", help="the copy that you have looked at")
    share.set_defaults(run="cli.share:share")


def _console(commands: _Command) -> None:
    inner = _Command(commands.add("console", "the web pages for people in the hospital"))
    run = inner.add(
        "run",
        "serve photos, worklist, ledgers and audit to people who are signed in",
        "",
        """\
  wardseal console run --config /etc/wardseal/console.toml
""",
    )
    run.add_argument("--config", required=True, type=Path, metavar="FILE")
    run.set_defaults(run="cli.run:console")
    account = inner.add(
        "account",
        "make or change a local account of the console",
        """
For a demo, or a hospital without a sign-in of its own. Asks for the password, twice; when
standard input is no terminal, its first line is the password.
  ward        photos and worklist
  governance  what was attested, who looked, the ledgers
  fleet       the devices, without a photo
""",
        """\
  wardseal console account j.doe --name "Jo Doe" --role ward --config console.toml
""",
    )
    account.add_argument("login", metavar="LOGIN", help="a-z, 0-9, '.', '_' and '-'")
    account.add_argument("--name", required=True, metavar="TEXT", help="what others read")
    account.add_argument(
        "--role",
        action="append",
        required=True,
        choices=["ward", "governance", "fleet"],
        help="may be given again",
    )
    account.add_argument("--config", required=True, type=Path, metavar="FILE")
    account.set_defaults(run="cli.console_account:account")


def _token(commands: _Command) -> None:
    inner = _Command(commands.add("token", "which of the hospital's programs may ask the API"))
    make = inner.add(
        "make",
        "make a token for a program",
        """
Only the token goes to standard output, this once; the database keeps a hash. What the program does
stands in the audit in its owner's name: give the login with which that person signs in.
""",
        """\
  wardseal token make his-bridge --owner j.doe --name "Jo Doe" --role ward \\
      --config console.toml
""",
    )
    make.add_argument("label", metavar="LABEL", help="what it is for: a-z, 0-9 and '-'")
    make.add_argument("--owner", required=True, metavar="LOGIN", help="who answers for it")
    make.add_argument("--name", required=True, metavar="TEXT", help="the owner's name")
    make.add_argument(
        "--role",
        action="append",
        required=True,
        choices=["ward", "governance", "fleet"],
        help="may be given again",
    )
    make.add_argument("--days", type=int, default=90, metavar="N", help="how long it lasts (90)")
    make.add_argument("--config", required=True, type=Path, metavar="FILE")
    make.set_defaults(run="cli.api_token:make")
    show = inner.add(
        "list",
        "show every token there is or was: until when, whose, last used",
        "",
        "  wardseal token list --config console.toml\n",
    )
    show.add_argument("--config", required=True, type=Path, metavar="FILE")
    show.set_defaults(run="cli.api_token:list_")
    revoke = inner.add(
        "revoke",
        "end a token now",
        "",
        "  wardseal token revoke his-bridge --config console.toml\n",
    )
    revoke.add_argument("label", metavar="LABEL")
    revoke.add_argument("--config", required=True, type=Path, metavar="FILE")
    revoke.set_defaults(run="cli.api_token:revoke")
