"""Writes to the console of real Ansible what a measurement wants to be written."""

import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: chatter
    type: notification
    short_description: Output of any size
    description: [Writes lines, one long line, or noise, before the first play.]
"""


def write(data):
    while data:
        data = data[os.write(1, data):]


def lines(count, width):
    """Numbered lines, the first of them 1."""
    for first in range(1, count + 1, 1000):
        block = ("line %09d" % number for number in range(first, min(first + 1000, count + 1)))
        write("".join(line.ljust(width) + "\n" for line in block).encode())


def line(size):
    """One line of so many bytes."""
    part = b"x" * 65536
    for _ in range(size // len(part)):
        write(part)
    write(b"\n")


def noise(size):
    """So many bytes of anything."""
    for _ in range(size // 65536):
        write(os.urandom(65536))
    write(b"\n")


class CallbackModule(CallbackBase):
    """Writes once the playbook begins."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "chatter"

    def v2_playbook_on_start(self, playbook):
        WHAT
