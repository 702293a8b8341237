"""Idle at 1280x720: resident sizes; and no allocation by the program's own code per frame or per passage after start."""
import pathlib
import re
import struct
import subprocess
import time

import gate
import pytest

GREEN = "0220990{:05d}||Người Thử|30121999|Nam|Xã Hai|01082024"


def resident_mb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def frames(subscriber, lane, count):
    """Waits until the lane has seen so much time pass as `count` frames need; the replay camera keeps its rate."""
    time.sleep(count / 30)


@pytest.mark.unsanitized
@pytest.mark.native("an emulator's own memory would be counted")
def test_resident_sizes_at_rest(make_lane, subscriber):
    lane = make_lane(size=(1280, 720))
    lane.start()
    subscriber.wait(lambda e: e["kind"] == "start")
    frames(subscriber, lane, 60)
    main, eye = resident_mb(lane.process.pid), resident_mb(lane.eye_pid())
    print(f"main {main:.1f} MB, eye {eye:.1f} MB")
    assert main < 16 and eye < 24


@pytest.mark.unsanitized
def test_no_allocation_per_frame_or_passage_after_start(make_lane, subscriber, tmp_path):
    shim = tmp_path / "count.so"
    subprocess.run([*gate.compiler(), "-std=c17", "-O1", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o", shim,
                    gate.ROOT / "tests/e2e/count_allocations.c", "-ldl"], check=True)
    lane = make_lane(size=(1280, 720), hold_ms=300, gap_ms=400)
    for number in range(40):
        lane.declare(f"cccd:{GREEN.format(number)[:12]}", ("green", "yellow", "red")[number % 3])
    lane.start(environment={"LD_PRELOAD": str(shim), "QRG_ALLOCATIONS": str(tmp_path / "allocations")})

    def passages():
        return sum(e["kind"] in ("granted", "held", "denied") for e in subscriber.events())

    def counted(pid):
        return struct.unpack("2Q", (tmp_path / f"allocations.{pid}").read_bytes())
    pids = (lane.process.pid, gate.wait_for(lane.eye_pid, 5, "an eye"))
    for number in range(10):  # warmed up: every kind of passage has happened
        lane.add(GREEN.format(number))
    gate.wait_for(lambda: passages() == 10, 60, "ten passages")
    before = [counted(pid) for pid in pids]
    for number in range(10, 40):
        lane.add(GREEN.format(number))
    gate.wait_for(lambda: passages() == 40, 90, "forty passages")
    lane.press()
    subscriber.wait(lambda e: e["kind"] == "override")
    after = [counted(pid) for pid in pids]
    for who, old, new in zip(("main", "eye"), before, after):
        print(f"{who}: {new[0] - old[0]} allocations of our own code, {new[1] - old[1]} of libraries in 30 passages")
        assert new[1] > 0  # the counter counts
        assert new[0] == old[0], who
