# SPDX-License-Identifier: BSD-3-Clause
"""Knocks at closed ports of a host: TCP answers with a reset, UDP with an ICMP error.

usage: closed_ports.py HOST
"""
import socket
import sys

PORTS = (9, 7777, 33434)


def main():
    host = sys.argv[1]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in PORTS:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            if sock.connect_ex((host, port)) == 0:
                sys.exit(f"{host}: port {port} is open")
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(1)
            sock.connect((host, port))
            sock.send(b"anybody there?")
            try:
                sock.recv(1)
                sys.exit(f"{host}: port {port} answers")
            except ConnectionRefusedError:
                pass
            except TimeoutError:
                print(f"{host}: no ICMP error for port {port}", file=sys.stderr)


main()
