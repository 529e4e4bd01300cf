#!/usr/bin/env python3
"""Stands in for ansible-playbook where events shall come faster than Ansible makes them.

It tells events as the callback plugin does: so many as the variable `results` says, on twenty hosts, `per_second`
of them a second or, with 0, as fast as it can.
"""

import json
import os
import sys
import time

HOSTS = 20

if "--version" in sys.argv:
    print("ansible-playbook [core 2.19.14]")
    sys.exit()

variables = {}
for argument in sys.argv[1:]:
    if argument.startswith("@") and argument.endswith("open.json"):
        with open(argument[1:]) as file:
            variables = json.load(file)

told = os.open(os.environ["MUELLE_EVENTS"], os.O_WRONLY | os.O_APPEND)
sequence = 0
began = time.monotonic()


def tell(kind, **fields):
    global sequence
    sequence += 1
    pace = variables["per_second"]
    if pace:
        late = began + sequence / pace - time.monotonic()
        if late > 0:
            time.sleep(late)
    event = {"sequence": sequence, "at": int(time.time() * 1000), "kind": kind, **fields}
    os.write(told, (json.dumps(event) + "\n").encode())


tell("start", ansible="2.19.14")
tell("play", play=0, name="Storm")
names = ["berth-%02d" % (number + 1) for number in range(HOSTS)]
task = -1
for number in range(variables["results"]):
    host = names[number % HOSTS]
    if host == names[0]:
        task += 1
        tell("task", task=task, play=0, name="Wave %d" % task, action="ansible.builtin.command", path="site.yml:7")
        for name in names:
            tell("host_start", task=task, host=name)
    result = {
        "changed": True,
        "cmd": ["/usr/bin/true"],
        "delta": "0:00:00.003",
        "end": "2026-11-29 10:00:00.000003",
        "rc": 0,
        "start": "2026-11-29 10:00:00.000000",
        "stderr": "",
        "stdout": "wave %d washes over %s and leaves what a command usually leaves behind\n" % (task, host) * 4,
    }
    tell("result", task=task, host=host, state="changed", took_ms=3, diff=False, result=result)
print("%d events told" % sequence, flush=True)
tell("stats", hosts=[
    {"host": name, "machine": None, "ok": task + 1, "changed": task + 1, "unreachable": 0, "failed": 0,
     "skipped": 0, "rescued": 0, "ignored": 0}
    for name in names
])
