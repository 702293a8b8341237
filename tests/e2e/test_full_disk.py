"""The whole daemon on a disk of its own that fills up while the broker is away: no code opens where nothing can be recorded, the
guard's button does, what the journal has goes to the broker and is marked, and once there is room all that
happened meanwhile is recorded and sent. (The journal's thread alone, row by row: tests/unit/test_full_disk.c.)"""
import errno
import subprocess

import gate
import pytest
from test_faults import EXTRA, QUICK, broker, connected, press, proxy, rows, subscriber, whole  # noqa: F401
from test_gate import GREEN

DISK_MIB, PIECE = 32, bytes(65536)


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", folder], capture_output=True,
                             text=True)
    if mounted.returncode != 0:
        pytest.skip(f"no disk of its own for the test: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(disk):
    """To the last page. The file that takes it all."""
    filler = disk / "filler"
    with open(filler, "wb", buffering=0) as file:
        for piece in (PIECE, PIECE[:4096]):
            try:
                for _ in range(DISK_MIB * 1024):
                    file.write(piece)
            except OSError as error:
                assert error.errno == errno.ENOSPC
    return filler


def alarm_of(lane, word, alarm="journal_failing"):
    return lane.log().count(f"alarm: {alarm} {word}")


def test_a_full_disk_is_survived_and_nothing_promised_is_lost(disk, make_lane, subscriber, proxy):  # noqa: F811
    lane = make_lane(port=proxy.port, mqtt=QUICK, extra=EXTRA, hold_ms=1500)
    text = lane.config.read_text()
    lane.config.write_text(text.replace(str(lane.journal), str(disk / "journal.db")))
    lane.journal = disk / "journal.db"
    lane.declare(f"cccd:{GREEN[:12]}", "green")
    lane.start()
    whole(lane, subscriber, 1)
    proxy.deny()
    proxy.kill()
    press(lane, 5)
    promised = gate.wait_for(lambda: (kept := rows(lane)) and len(kept) >= 6 and kept, 20, "five rows that no broker has")
    gate.wait_for(lambda: lane.pulses() == 5 and not lane.relay_on(), 20, "five pulses")
    filler = fill(disk)
    presses = 5
    while alarm_of(lane, "begins") == 0:  # the log of the database may have a page left
        assert presses < 100, "the disk is full, and rows are still recorded"
        press(lane)
        presses += 1
        gate.wait_for(lambda: lane.pulses() == presses and not lane.relay_on(), 20, "the button opens, whatever the disk does")
        gate.wait_for(lambda: alarm_of(lane, "begins") or len(rows(lane)) > presses, 20, "recorded, or not")
    gate.wait_for(lambda: alarm_of(lane, "begins", "journal_full") == 1, 20, "the alarm of 90 %")
    failed = sum(kind == "failed" for kind, _ in lane.displayed())
    lane.add(GREEN)
    gate.wait_for(lambda: sum(kind == "failed" for kind, _ in lane.displayed()) > failed, 20, "no code opens unrecorded")
    assert lane.pulses() == presses
    proxy.allow()
    connected(lane, 2)
    gate.wait_for(lambda: all(sent for seq, _, sent in rows(lane)), 30, "acknowledged and marked on the full disk")
    heard = {event["event_id"]: event["seq"] for event in subscriber.events()}
    assert all(heard.get(event_id) == seq for seq, event_id, _ in promised)
    assert alarm_of(lane, "ends") == 0 and filler.exists()
    filler.unlink()
    gate.wait_for(lambda: alarm_of(lane, "ends") == 1, 20, "the journal works again")

    def overrides():
        return {event["event_id"] for event in subscriber.events() if event["kind"] == "override"}
    gate.wait_for(lambda: len(overrides()) == presses, 20, "each press is told")
    for kind in ("alarm_begin", "alarm_end"):
        subscriber.wait(lambda e: e["kind"] == kind and e["alarm"] == "journal_full", what=f"{kind} journal_full")
    whole(lane, subscriber, presses + 1)
    assert {row[:2] for row in rows(lane)} >= {row[:2] for row in promised}
    assert lane.stop() == 0
