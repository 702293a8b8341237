"""The watchdog is fed while everything makes progress, and not while the journal hangs: systemd must see a hang."""
import os
import socket
import sqlite3
import subprocess
import threading
import time


def test_fed_while_all_progress_and_not_while_the_journal_hangs(make_lane, broker, tmp_path):
    lane = make_lane()
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(tmp_path / "notify"))
    notify.settimeout(0.2)
    period_s, fed, stop = 1.0, [], threading.Event()

    def listen():
        while not stop.is_set():
            try:
                if b"WATCHDOG=1" in notify.recv(4096):
                    fed.append(time.monotonic())
            except TimeoutError:
                pass
    listener = threading.Thread(target=listen)
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen([lane.build / "qrgated", "--config", lane.config], stdout=subprocess.DEVNULL, stderr=log,
                                   env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"),
                                        "WATCHDOG_USEC": str(int(period_s * 1e6))})
    try:
        listener.start()
        started = time.monotonic()
        while len(fed) < 8 and time.monotonic() - started < 20:
            time.sleep(0.05)
        assert len(fed) >= 8, "it is fed"
        lock = sqlite3.connect(lane.journal, isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        stuck_at = time.monotonic()
        lane.press()  # something to record: the journal's thread waits for the disk, and its ping behind it
        while time.monotonic() - stuck_at < 4:
            time.sleep(0.05)
        lock.execute("ROLLBACK")
        lock.close()
        during = [t for t in fed if stuck_at - period_s < t < stuck_at + 4] + [stuck_at + 4]
        assert max(b - a for a, b in zip(during, during[1:])) > period_s, "systemd would have ended it"
        count = len(fed)
        again = time.monotonic()
        while len(fed) < count + 3 and time.monotonic() - again < 20:
            time.sleep(0.05)
        assert len(fed) >= count + 3, "it is fed again"
    finally:
        stop.set()
        listener.join()
        process.terminate()
        assert process.wait(15) == 0
        notify.close()
