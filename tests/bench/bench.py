#!/usr/bin/python3
"""`make bench`: sizes at rest, start to READY, last byte of a frame to the relay edge. Prints, asserts nothing about speed."""
import argparse
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import gate  # noqa: E402


def resident_kb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--passages", type=int, default=200)
    arguments = parser.parse_args()
    with gate.throw_away_folder("qrgate-bench-") as folder:
        broker = gate.Broker(folder)
        subscriber = gate.Subscriber(broker.port)
        lane = gate.Lane(folder, arguments.build, broker.port, size=(1280, 720), hold_ms=150, gap_ms=100, leave_ms=300,
                         extra="lane_timing = { pulse_ms = 100; pulse_gap_ms = 50; };")
        started = time.monotonic()
        lane.start()
        print(f"start to READY              {1000 * (time.monotonic() - started):8.0f} ms")
        gate.wait_for(lambda: '"ok"' in str(subscriber.last("/state")) or subscriber.last("/state"), 10, "state")
        time.sleep(3)  # at rest
        print(f"main process at rest        {resident_kb(lane.process.pid) / 1024:8.1f} MB resident")
        print(f"eye at rest, 1280x720       {resident_kb(lane.eye_pid()) / 1024:8.1f} MB resident")
        for number in range(arguments.passages):
            subject = f"0220990{number:05d}"
            lane.declare(f"cccd:{subject}", "green")
            lane.add(f"{subject}||Người Thử {number}|30121999|Nam|Xã Hai|01082024")
        gate.wait_for(lambda: sum(e["kind"] == "granted" for e in subscriber.events()) >= arguments.passages, 300, "all passages")
        print(f"main process after {arguments.passages:4}     {resident_kb(lane.process.pid) / 1024:8.1f} MB resident")
        print(f"eye after {arguments.passages:4}              {resident_kb(lane.eye_pid()) / 1024:8.1f} MB resident")
        lane.stop()
        print(next(line[3:] for line in lane.log().splitlines() if "frame to relay" in line))
        subscriber.stop()
        broker.stop()


if __name__ == "__main__":
    main()
