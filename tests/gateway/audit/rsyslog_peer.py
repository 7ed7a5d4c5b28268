"""The syslog server of the tests: Debian's rsyslog with TLS, in a folder of its own."""

import re
import shutil
import subprocess
import time
from pathlib import Path

from base.tls import TlsFiles

_MESSAGE = re.compile(rb"<(\d+)>1 (\S+) (\S+) (\S+) (\S+) (\S+) (-|\[[^]]*\]) (.*)\Z", re.DOTALL)


class Rsyslog:
    """Listens by TLS on ``port`` and by UDP on the same; wants certificates of its authority."""

    def __init__(self, folder: Path, port: int, files: TlsFiles) -> None:
        program = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin:/sbin")
        assert program, "rsyslogd is missing: ./test --setup installs rsyslog"
        folder.mkdir(parents=True, exist_ok=True)
        self._program, self._folder, self.port = program, folder, port
        self.file = folder / "messages"
        self.settings = folder / "rsyslog.conf"
        self.settings.write_text(
            f'global(workDirectory="{folder}" maxMessageSize="64k"'
            ' defaultNetstreamDriver="ossl"'
            f' defaultNetstreamDriverCAFile="{files.ca}"'
            f' defaultNetstreamDriverCertFile="{files.certificate}"'
            f' defaultNetstreamDriverKeyFile="{files.key}")\n'
            'module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1"'
            ' streamDriver.authMode="x509/certvalid" streamDriver.permitExpiredCerts="off")\n'
            'module(load="imudp")\n'
            f'input(type="imtcp" address="127.0.0.1" port="{port}")\n'
            f'input(type="imudp" address="127.0.0.1" port="{port}")\n'
            'template(name="raw" type="string" string="%rawmsg%\\n")\n'
            f'action(type="omfile" file="{self.file}" template="raw")\n'
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Rsyslog":
        command = [self._program, "-n", "-f", str(self.settings), "-i", str(self._folder / "pid")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while not self._listens():
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < deadline, "rsyslogd does not listen"
            time.sleep(0.02)
        return self

    def _listens(self) -> bool:
        wanted = f"0100007F:{self.port:04X} 00000000:0000 0A"
        return wanted in Path("/proc/net/tcp").read_text()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def lines(self) -> list[bytes]:
        return self.file.read_bytes().splitlines() if self.file.exists() else []

    def messages(self) -> list[dict[str, bytes]]:
        """Every message taken apart as RFC 5424 says; a line that is none fails."""
        names = ("priority", "at", "host", "app", "process", "id", "data", "text")
        found = []
        for line in self.lines():
            match = _MESSAGE.match(line)
            assert match, line
            found.append(dict(zip(names, match.groups(), strict=True)))
        return found
