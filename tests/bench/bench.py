#!/usr/bin/python3
"""`make bench`: sizes at rest, start to READY, last byte of a frame to the relay edge. Prints, asserts nothing about speed."""
import argparse
import datetime
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "data"))
import demo  # noqa: E402
import gate  # noqa: E402
import make_hc1  # noqa: E402


def resident_kb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


def codes(folder, build):
    """Recognise, parse, verify: one code of each kind."""
    lane = gate.Lane(folder / "codes", build, 1)
    now = datetime.datetime.now(make_hc1.UTC)
    ministry, rsa = (make_hc1.Signer(key, since=now - datetime.timedelta(9), until=now + datetime.timedelta(9))
                     for key in (make_hc1.ec_key(1), make_hc1.RSA.key))
    (lane.trust / "ministry.pem").write_text(ministry.pem + rsa.pem)
    phone = lane.ctl("token", "provision", "--subject", "badge:0300", "--valid", "1d").stdout.strip()
    samples = {
        "citizen card": demo.PEOPLE["green"], "personal code 1405": demo.PERSONAL_CODE, "insurance card": demo.INSURANCE_CARD,
        "place code": "https://tokhaiyte.vn/?page=Group.checkin&groupId=0123456789abcdef01234567",
        "site token": lane.issuer()("cccd:022199012345", "green"),
        "rotating token": lane.ctl("token", "rotate-demo", "--once", "--code", phone).stdout.strip(),
        "certificate ES256": demo.certificate(ministry, now, "v"), "certificate PS256": demo.certificate(rsa, now, "v"),
    }
    arguments = []
    for label, payload in samples.items():
        path = lane.folder / label.replace(" ", "-")
        path.write_bytes(payload.encode())
        arguments.append(f"{label}={path}")
    subprocess.run([pathlib.Path(build) / "bench_codes", lane.trust, lane.folder / "site.key", *arguments], check=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--passages", type=int, default=200)
    arguments = parser.parse_args()
    with gate.throw_away_folder("qrgate-bench-") as folder:
        codes(pathlib.Path(folder), arguments.build)
        subprocess.run([pathlib.Path(arguments.build) / "bench_journal", pathlib.Path(folder) / "bench.db"], check=True)
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
