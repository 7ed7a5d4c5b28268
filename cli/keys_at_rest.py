"""``wardseal keys encrypt``: private keys as systemd credentials, in place of files in the clear.

systemd-creds(1) encrypts with the machine's TPM, with a key that only root can read
(/var/lib/systemd/credential.secret), or both. The gateway's unit loads the whole folder
(``LoadCredentialEncrypted=wardseal:FOLDER``), so a key that is added later needs no change there.
A key in the clear is wiped only after its credential was decrypted again and is the same.
"""

import os
import shutil
import subprocess
from argparse import Namespace
from pathlib import Path
from typing import Final

from base.durable import write_atomic
from base.errors import EnvironmentProblem
from base.keyfiles import read_public
from base.memory import harden_process
from cli.outcome import OK, UsageError
from cli.terminal import plain
from gateway import config as configuration
from gateway.keyring.keys import remove, remove_leftovers
from gateway.keyring.retiring import exists_in_clear

PREFIX: Final = "wardseal"
"""What systemd puts, with a ``_``, before the name of each file of the folder."""

_NEXT: Final = """\
The gateway's unit needs this line, and a restart:
  LoadCredentialEncrypted={prefix}:{folder}
The keys in the safe are untouched; backups made before may hold the old files."""


def encrypt(arguments: Namespace) -> int:
    """Turn every private key of the gateway into a credential."""
    harden_process()
    config = configuration.load(arguments.config)
    clear = exists_in_clear(config.keys, (config.broker.key,))
    folder: Path = arguments.to
    if shutil.which("systemd-creds") is None:
        raise EnvironmentProblem("systemd-creds is not here: it comes with systemd 250 or newer")
    if not clear:
        print("No private key lies in the clear here.")
        return OK
    if not arguments.dry_run:
        for place in {path.parent for path in clear}:
            remove_leftovers(place)
    for path in clear:
        if arguments.dry_run:
            print(f"{path} would become {folder / path.name}, encrypted, and be wiped")
            continue
        _encrypt(path, folder, arguments.with_key)
        print(f"{path} is wiped; {folder / path.name} is in its place, encrypted")
    if arguments.dry_run:
        print("Nothing was changed: this was a dry run.")
    else:
        print(_NEXT.format(prefix=PREFIX, folder=folder))
    return OK


def _encrypt(path: Path, folder: Path, with_key: str) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / path.name
    # Root does this, and the file is the gateway's own: who else might read it ends here anyway.
    secret = read_public(path, str(path))
    name = f"--name={PREFIX}_{path.name}"
    if target.exists():  # an earlier run was ended before it could wipe
        if _creds("decrypt", name, str(target), "-", given=b"") != secret:
            raise UsageError(f"{target} exists and is another key; move it away first")
    else:
        sealed = _creds("encrypt", f"--with-key={with_key}", name, "-", "-", given=secret)
        write_atomic(target, sealed)
        if _creds("decrypt", name, str(target), "-", given=b"") != secret:
            raise EnvironmentProblem(f"{target} does not decrypt to {path}, which is left alone")
    remove(path)


def _creds(*words: str, given: bytes) -> bytes:
    done = subprocess.run(
        ["systemd-creds", *words],
        input=given,
        capture_output=True,
        check=False,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "err"},
    )
    if done.returncode != 0:
        said = plain(done.stderr.decode(errors="replace").strip())
        raise EnvironmentProblem(f"systemd-creds {words[0]}: {said or 'failed'}")
    return done.stdout
