"""A time server for this machine alone (SNTP, RFC 4330): its own clock, which the host sets.

Without one no photo's time is trusted, and the hospital would hold each of them.
"""

import os
import socket
import struct
import time

_SINCE_1900 = 2_208_988_800


def _stamp(seconds: float) -> bytes:
    whole = int(seconds)
    return struct.pack("!II", whole + _SINCE_1900, int((seconds - whole) * 2**32))


def main() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind(("127.0.0.1", 123))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
        while True:
            question, who = door.recvfrom(512)
            now = _stamp(time.time())
            # No warning, version 4, server; stratum 1, precision 2^-20; no delay, no dispersion.
            head = struct.pack("!BBbb", 0x24, 1, 4, -20) + bytes(8) + b"WARD"
            door.sendto(head + now + question[40:48] + now + _stamp(time.time()), who)


if __name__ == "__main__":
    main()
