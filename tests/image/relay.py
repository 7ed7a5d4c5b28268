"""Joins the emulated device to the broker: QEMU starts one of these for each connection.

    relay.py PORT

QEMU's own network lets the device reach nothing but this (restrict=on, guestfwd).
"""

import os
import socket
import sys
import threading


def main() -> None:
    broker = socket.create_connection(("127.0.0.1", int(sys.argv[1])))

    def back() -> None:
        while data := broker.recv(65536):
            view = memoryview(data)
            while view:
                view = view[os.write(1, view) :]
        os._exit(0)

    threading.Thread(target=back, daemon=True).start()
    while data := os.read(0, 65536):
        broker.sendall(data)
    broker.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main()
