# SPDX-License-Identifier: BSD-3-Clause
"""Switches an interface's offloads off, so that a tap sees the frames a wire would carry.

usage: offloads_off.py INTERFACE
"""
import array
import fcntl
import socket
import struct
import sys

SIOCETHTOOL = 0x8946
# From linux/ethtool.h: the set-commands of receive and transmit checksums, scatter-gather,
# TCP segmentation, generic segmentation and generic receive offload.
SET_COMMANDS = {"rx": 0x15, "tx": 0x17, "sg": 0x19, "tso": 0x1F, "gso": 0x24, "gro": 0x2C}


def switch_off(sock, interface, command):
    value = array.array("B", struct.pack("II", command, 0))
    address, _ = value.buffer_info()
    fcntl.ioctl(sock, SIOCETHTOOL, struct.pack("16sP16x", interface.encode(), address))


def main():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for name, command in SET_COMMANDS.items():
            try:
                switch_off(sock, sys.argv[1], command)
            except OSError as error:
                print(f"{sys.argv[1]}: {name} stays on: {error}", file=sys.stderr)


main()
