# Copyright (C) 2026 The authors of Muelle
#
# This program is free software: you can redistribute it and/or modify it under the terms of the GNU
# General Public License as published by the Free Software Foundation, either version 3 of the License,
# or (at your option) any later version. It is distributed in the hope that it will be useful, but
# WITHOUT ANY WARRANTY; see <https://www.gnu.org/licenses/gpl-3.0.txt>.
#
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells what happens in a run of ansible-playbook, one line of JSON per event."""

from __future__ import annotations

import functools
import json
import os
import threading
import time
import uuid

from ansible.plugins.callback import CallbackBase
from ansible.release import __version__
from ansible.utils.display import Display

DOCUMENTATION = """
    name: muelle_events
    type: notification
    short_description: Events of a run as lines of JSON
    description:
      - Writes each event with a single write to the file named by the environment variable MUELLE_EVENTS.
"""

# The greatest line in bytes, and the greatest line of facts.
LINE = 64 * 1024
FACTS = 512 * 1024

# What a result is cut to, tried in turn: characters of a string, and entries of a list or mapping.
CUTS = ((16384, 2000), (4096, 500), (1024, 200), (256, 60), (80, 20))

# What gathers facts of a host, as against actions that set some.
GATHERING = frozenset(
    prefix + name for prefix in ("", "ansible.builtin.", "ansible.legacy.") for name in ("setup", "gather_facts")
)


def quietly(method):
    """A run goes on whatever happens here."""

    @functools.wraps(method)
    def guarded(self, *args, **kwargs):
        try:
            with self.lock:
                self.tell_warnings()
                return method(self, *args, **kwargs)
        except Exception:
            return None

    return guarded


def clean(text):
    """The text without what JSON or a database cannot hold."""
    return str(text).encode("utf-8", "replace").decode("utf-8", "replace").replace("\0", "\ufffd")


def cut(value, characters, entries, depth=0):
    """The value with long strings and lists cut."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if depth > 12:
        return "..."
    if isinstance(value, dict):
        kept = list(value.items())[:entries]
        made = {clean(key)[:characters]: cut(inner, characters, entries, depth + 1) for key, inner in kept}
        if len(value) > entries:
            made["..."] = len(value) - entries
        return made
    if isinstance(value, (list, tuple, set, frozenset)):
        kept = list(value)
        made = [cut(inner, characters, entries, depth + 1) for inner in kept[:entries]]
        if len(kept) > entries:
            made.append("... %d more" % (len(kept) - entries))
        return made
    text = value if isinstance(value, str) else str(value)
    if len(text) > characters:
        text = "%s... %d more characters" % (text[:characters], len(text) - characters)
    return clean(text)


def line_of(text, limit=400):
    """The first line of a text that says something."""
    for line in str(text).splitlines():
        if line.strip():
            line = clean(line.strip())
            return line if len(line) <= limit else line[:limit] + "..."
    return None


class CallbackModule(CallbackBase):
    """Events of a run as lines of JSON."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "muelle_events"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.lock = threading.RLock()
        self.sequence = 0
        self.play = -1
        self.tasks = 0
        self.is_free = False
        self.started = False
        self.numbers = {}
        self.began = {}
        self.order = {}
        self.machines = {}
        self.warned = set()
        self.root = os.environ.get("MUELLE_PROJECT", os.getcwd()).rstrip("/") + "/"
        self.file = None
        try:
            self.file = os.open(os.environ["MUELLE_EVENTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except (KeyError, OSError):
            self.disabled = True

    def write(self, kind, limit=LINE, extra=None, **fields):
        """Writes one event; `extra` is beside it and is cut until the line is short enough."""
        event = {"sequence": self.sequence + 1, "at": int(time.time() * 1000), "kind": kind}
        event.update(fields)
        line = None
        for characters, entries in CUTS if extra else ():
            event.update({name: cut(value, characters, entries) for name, value in extra.items()})
            line = self.line(event)
            if len(line) <= limit:
                break
        if line is None or len(line) > limit:
            for name in extra or ():
                event[name] = {"...": "too large to keep"}
            line = self.line(event)
        if len(line) > limit:
            line = self.line(cut(event, 200, 1000))
        if len(line) > limit:
            return
        self.sequence += 1
        os.write(self.file, line)

    @staticmethod
    def line(event):
        return (json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "replace")

    def tell_warnings(self):
        """Tells what Ansible warned of since the last event."""
        known = getattr(Display(), "_warns", ())
        if not self.started or len(known) == len(self.warned):
            return
        for text in [text for text in known if text not in self.warned]:
            self.warned.add(text)
            message = " ".join(clean(text).split()).removeprefix("[WARNING]: ")
            self.write("warning", message=message[:2000])

    def machine(self, host):
        """The machine of a host, as the inventory told before anything ran."""
        if not self.machines:
            return None
        return self.machines.get(host.get_name())

    def number(self, task, handler=False):
        """The number of a task; one that was not told yet begins now."""
        known = self.numbers.get(task._uuid)
        return self.begin(task, handler) if known is None else known

    def begin(self, task, handler):
        number = self.tasks
        self.tasks += 1
        self.numbers[task._uuid] = number
        path = clean(task.get_path() or "")
        self.write(
            "task",
            task=number,
            play=max(self.play, 0),
            name=clean(task.get_name().strip())[:500],
            action=clean(task.action)[:200],
            handler=handler,
            path=path.removeprefix(self.root) or None,
        )
        return number

    def appear(self, name):
        self.order.setdefault(name, len(self.order))

    @quietly
    def v2_playbook_on_start(self, playbook):
        if not self.started:
            self.started = True
            self.write("start", ansible=__version__)

    @quietly
    def v2_playbook_on_play_start(self, play):
        self.play += 1
        self.numbers.clear()
        self.began.clear()
        self.is_free = str(play.strategy).rsplit(".", 1)[-1] in ("free", "host_pinned")
        if self.play == 0:
            self.read_machines(play)
        self.write("play", play=self.play, name=clean(play.get_name().strip())[:500])

    def read_machines(self, play):
        # What a play adds later must not claim to be a machine.
        for host in play.get_variable_manager()._inventory.get_hosts(ignore_limits=True):
            told = host.get_vars().get("muelle_machine")
            try:
                self.machines[host.get_name()] = str(uuid.UUID(str(told)))
            except ValueError:
                pass

    @quietly
    def v2_playbook_on_no_hosts_matched(self):
        self.write("no_hosts", remaining=False)

    @quietly
    def v2_playbook_on_no_hosts_remaining(self):
        self.write("no_hosts", remaining=True)

    @quietly
    def v2_playbook_on_task_start(self, task, is_conditional):
        self.start_task(task, False)

    @quietly
    def v2_playbook_on_handler_task_start(self, task):
        self.start_task(task, True)

    def start_task(self, task, handler):
        # With the strategy "free" a task is announced for each host.
        if not self.is_free or task._uuid not in self.numbers:
            self.begin(task, handler)

    @quietly
    def v2_runner_on_start(self, host, task):
        number = self.number(task)
        name = host.get_name()
        self.appear(name)
        self.began[(number, name)] = time.monotonic()
        self.write("host_start", task=number, host=clean(name))

    @quietly
    def v2_runner_on_ok(self, result):
        self.tell_facts(result)
        self.tell(result, "changed" if result.is_changed() else "ok")

    @quietly
    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.tell(result, "ignored" if ignore_errors else "failed")

    @quietly
    def v2_runner_on_skipped(self, result):
        self.tell(result, "skipped")

    @quietly
    def v2_runner_on_unreachable(self, result):
        self.tell(result, "ignored" if self.field(result, "ignore_unreachable") else "unreachable")

    @quietly
    def v2_runner_item_on_ok(self, result):
        self.tell(result, "changed" if result.is_changed() else "ok", is_item=True)

    @quietly
    def v2_runner_item_on_failed(self, result):
        self.tell(result, "ignored" if self.field(result, "ignore_errors") else "failed", is_item=True)

    @quietly
    def v2_runner_item_on_skipped(self, result):
        self.tell(result, "skipped", is_item=True)

    @quietly
    def v2_runner_retry(self, result):
        told = result.result
        left = max(int(told.get("retries", 0)) - int(told.get("attempts", 0)), 0)
        self.write("retry", task=self.number(result.task), host=clean(result.host.get_name()), left=left)

    @quietly
    def v2_playbook_on_stats(self, stats):
        hosts = []
        for name in sorted(stats.processed, key=lambda name: (self.order.get(name, len(self.order)), name)):
            counts = stats.summarize(name)
            hosts.append({
                "host": clean(name),
                "machine": self.machines.get(name),
                "ok": counts["ok"],
                "changed": counts["changed"],
                "unreachable": counts["unreachable"],
                "failed": counts["failures"],
                "skipped": counts["skipped"],
                "rescued": counts["rescued"],
                "ignored": counts["ignored"],
            })
        # A recap is never cut, however many hosts there are.
        self.write("stats", limit=1 << 30, hosts=hosts)

    @staticmethod
    def field(result, name):
        fields = getattr(result, "task_fields", None) or {}
        return bool(fields.get(name))

    def tell_facts(self, result):
        if result.task.action not in GATHERING or result.result.get("_ansible_no_log"):
            return
        facts = result.result.get("ansible_facts")
        if isinstance(facts, dict) and facts:
            host = result.host
            self.write(
                "facts", limit=FACTS, extra={"facts": facts}, host=clean(host.get_name()), machine=self.machine(host)
            )

    def tell(self, result, state, is_item=False):
        """Writes how a task, or one item of its loop, ended on a host."""
        told = dict(result.result)
        is_hidden = "censored" in told or bool(told.get("_ansible_no_log"))
        number = self.number(result.task)
        host = result.host
        name = host.get_name()
        self.appear(name)
        now = time.monotonic()
        began = self.began.get((number, name), now)
        if is_item:
            self.began[(number, name)] = now
            self.began.setdefault((number, name, "whole"), began)
        else:
            began = self.began.pop((number, name, "whole"), began)
        item = None
        if is_item and not is_hidden:
            item = line_of(self._get_item_label(told), 200) or ""
        elif is_item:
            item = "(hidden)"
        message = None if is_hidden else self.message(told, state)
        self.write(
            "result",
            extra={"result": self.kept(told, result.task, is_hidden, is_item)},
            task=number,
            host=clean(name),
            machine=self.machine(host),
            state=state,
            item=item,
            took_ms=int((now - began) * 1000),
            message=message,
            diff=not is_hidden and self.has_diff(told),
        )

    def kept(self, told, task, is_hidden, is_item):
        """What is kept of a result."""
        if is_hidden:
            kept = {name: told[name] for name in ("changed", "attempts", "retries") if name in told}
            kept["censored"] = "hidden, because the task says no_log"
            return kept
        kept = {name: value for name, value in told.items() if not name.startswith("_ansible_")}
        kept.pop("invocation", None)
        if task.action in GATHERING:
            kept.pop("ansible_facts", None)
        if task.loop and not is_item:
            # Each item has told its own.
            kept.pop("results", None)
        for name, lines in (("stdout", "stdout_lines"), ("stderr", "stderr_lines")):
            if name in kept:
                kept.pop(lines, None)
        if isinstance(kept.get("exception"), str):
            kept["exception"] = kept["exception"][-4000:]
        return kept

    @staticmethod
    def message(told, state):
        if state == "skipped":
            return line_of(told.get("skip_reason") or told.get("skipped_reason") or "")
        if state not in ("failed", "ignored", "unreachable"):
            return None
        for name in ("msg", "stderr", "module_stderr", "stdout", "module_stdout", "exception"):
            line = line_of(told.get(name) or "")
            if line and not (name == "msg" and line.startswith("non-zero return code") and line_of(told.get("stderr") or "")):
                return line
        return None

    @staticmethod
    def has_diff(told):
        many = told.get("diff")
        if not many:
            return False
        return any(
            isinstance(one, dict) and (one.get("prepared") or one.get("before") != one.get("after"))
            for one in (many if isinstance(many, list) else [many])
        )
