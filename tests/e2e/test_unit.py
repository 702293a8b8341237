"""The unit file's system call filter against what the daemon and its eye really call: a call that is missing there would be
refused under systemd only, on somebody's gate."""
import os
import re
import subprocess

import gate
import pytest

CARD = "022199012345||Người Thử|15081999|Nữ|Xã Hai|01082022"


def expanded(name):
    """Calls of a filter set, sets within sets included."""
    calls = set()
    out = subprocess.run(["systemd-analyze", "syscall-filter", name], stdout=subprocess.PIPE, text=True, check=True).stdout
    for line in out.splitlines()[1:]:
        word = line.strip()
        if word.startswith("@"):
            calls |= expanded(word)
        elif word and not word.startswith("#"):
            calls.add(word)
    return calls


def allowed_by_the_unit():
    calls = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", (gate.ROOT / "systemd/qrgated@.service").read_text(), re.M):
        words = set()
        for word in line.lstrip("~").split():
            words |= expanded(word) if word.startswith("@") else {word}
        calls = calls - words if line.startswith("~") else calls | words
    return calls


@pytest.mark.unsanitized
@pytest.mark.native("strace would see the emulator's own system calls")
def test_every_system_call_made_is_allowed_by_the_unit(make_lane, subscriber, tmp_path):
    lane = make_lane(clock="ntp")
    lane.declare(f"cccd:{CARD[:12]}", "green")
    trace, real = tmp_path / "trace", lane.build
    (tmp_path / "bin").mkdir()
    wrapper = tmp_path / "bin" / "qrgated"
    wrapper.write_text(f'#!/bin/sh\nexec strace -f -qq -e signal=none -o {trace} {real}/qrgated "$@"\n')
    wrapper.chmod(0o755)
    (tmp_path / "bin" / "qrgatectl").symlink_to(real / "qrgatectl")
    lane.build = tmp_path / "bin"
    lane.start()
    lane.add(CARD)
    subscriber.wait(lambda e: e["kind"] in ("granted", "held"), 30)
    lane.press()
    subscriber.wait(lambda e: e["kind"] == "override", 30)
    daemon = gate.wait_for(lane.eye_pid, 5, "the traced daemon")  # strace's child
    subprocess.run(["kill", str(daemon)], check=True)
    lane.process.wait(20)
    called = set(re.findall(r"^\d+ +([a-z_0-9]+)\(", trace.read_text(), re.M))
    assert {"clock_adjtime", "seccomp", "fdatasync"} <= called and len(called) > 30
    only_as_root = {"fchown"} if os.geteuid() == 0 else set()  # SQLite and the journal's lock give files to their folder's owner
    assert called - allowed_by_the_unit() - only_as_root == set()


def test_what_the_stop_helper_needs_is_in_the_unit():
    """The folder in which the daemon keeps its outputs: systemd makes it, names it to both, removes it after the helper."""
    unit = (gate.ROOT / "systemd/qrgated@.service").read_text()
    assert re.search(r"^RuntimeDirectory=qrgate/%i$", unit, re.M) and "RuntimeDirectoryPreserve" not in unit
    assert re.search(r"^ExecStopPost=@prefix@/libexec/qrgate-safe --config /etc/qrgate/%i.conf$", unit, re.M)
