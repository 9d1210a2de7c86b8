#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""frames.py FROM TO: sends frames of many lengths, tagged ones too, and compares what arrives.

Prints "same", or a line for each length that was lost or cut.
"""

import socket
import struct
import sys
import time

ETH_P_ALL, SOL_PACKET, PACKET_AUXDATA, VLAN_VALID = 3, 263, 8, 0x10
LENGTHS = [60, 64, 1000, 1514, 1518, 1982, 1983, 2048, 3000, 5000, 8999, 9014]


def frame(length, tag):
    head = bytes.fromhex("020000000001020000000002")
    head += bytes.fromhex("81000007") if tag else b""
    head += bytes.fromhex("88b5") + struct.pack(">H", length)
    return head + bytes((i * 13 + length) & 0xff for i in range(length + (4 if tag else 0) - len(head)))


def receive(sock):
    """One frame as it was on the wire: the kernel keeps the tag beside it."""
    data, ancillary, _, address = sock.recvmsg(65536, 256)
    if address[2] == 4:  # PACKET_OUTGOING
        return None
    for level, kind, value in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = struct.unpack("<IIIHHHH", value[:20])
            if status & VLAN_VALID:
                data = data[:12] + struct.pack(">HH", tpid, tci) + data[12:]
    return data


def main():
    tx = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    tx.bind((sys.argv[1], 0))
    rx = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    rx.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    rx.bind((sys.argv[2], ETH_P_ALL))
    rx.settimeout(0.1)
    want = {}
    for length in LENGTHS:
        for tag in (False, True):
            data = frame(length, tag)
            want[data] = f"{length}{' tagged' if tag else ''}"
            tx.send(data)
            time.sleep(0.002)
    end = time.monotonic() + 1.5
    while want and time.monotonic() < end:
        try:
            got = receive(rx)
        except TimeoutError:
            continue
        if got is None or got[12:14] not in (b"\x88\xb5", b"\x81\x00"):
            continue
        if want.pop(got, None) is None:
            print(f"{len(got)}: cut or changed")
    for name in want.values():
        print(f"{name}: lost")
    if not want:
        print("same")


main()
