#!/usr/bin/python3
"""`make load`: N lanes (load_lane: real passage, journal, outbox and Paho) against one mosquitto on this machine; a subscriber
checks that nothing is lost or doubled and takes the time from a passage to its receipt. Prints a table, leaves a TSV in
BUILD/bench. Ends with 1 when an event is missing, doubled or out of order; speed is shown, not judged."""
import argparse
import json
import math
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "e2e")]
import gate  # noqa: E402
from scripted_broker import PUBLISH, Body, Gone, packet, read_packet  # noqa: E402

LEAD_S = 1.0  # between "go" and the first passage
START_AT_ONCE = 10
TICK = os.sysconf("SC_CLK_TCK")


class Receiver(threading.Thread):
    """Every event of every lane, with CLOCK_MONOTONIC of its arrival. A socket of our own: no other program's buffers between."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.sock = socket.create_connection(("127.0.0.1", port), 10)
        self.stream = self.sock.makefile("rb", buffering=1 << 20)
        self.sock.sendall(packet(1, b"\0\4MQTT\5\2\0\0\0\0\x08receiver"))
        read_packet(self.stream)
        for number, topic in enumerate((b"qrgate/+/+/passage", b"qrgate/+/+/alarm"), 1):
            self.sock.sendall(packet(8, bytes([0, number, 0]) + len(topic).to_bytes(2, "big") + topic + b"\1", 2))
            read_packet(self.stream)
        self.sock.settimeout(None)
        self.events, self.gone = [], None
        self.start()

    def run(self):
        try:
            while True:
                kind, flags, data = read_packet(self.stream)
                at = time.monotonic_ns() // 1000
                if kind != PUBLISH:
                    continue
                body = Body(data)
                topic, packet_id = body.text(), body.take(2) if flags >> 1 & 3 else b""
                body.properties()
                if packet_id:
                    self.sock.sendall(packet(4, packet_id))
                self.events.append((topic, body.rest(), at))
        except (Gone, OSError) as error:
            self.gone = str(error)

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.join(10)
        self.sock.close()


class Process:
    """What the kernel says about one."""

    def __init__(self, pid):
        self.folder = pathlib.Path("/proc", str(pid))

    def cpu_s(self):
        fields = (self.folder / "stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory_kb(self):
        """(resident, proportional: shared pages divided among those who share them)"""
        text = (self.folder / "smaps_rollup").read_text()
        return tuple(int(text.split(f"\n{name}:")[1].split()[0]) for name in ("Rss", "Pss"))


class Lane:
    def __init__(self, number, folder, options, port):
        site, lane = f"site{number // options.site_lanes + 1}", f"lane{number + 1}"
        self.topic, self.process = f"qrgate/{site}/{lane}", None
        self.folder = folder / lane
        self.folder.mkdir()
        (self.folder / "trust").mkdir()
        key = folder / f"{site}.key"
        if not key.exists():
            key.touch(0o600)
            key.write_text(os.urandom(32).hex() + "\n")
        self.config = self.folder / "qrgate.conf"
        self.config.write_text(f'''site = "{site}"; lane = "{lane}"; direction = "{"in" if number % 2 else "out"}";
camera = {{ driver = "replay"; replay = {{ folder = "{self.folder}"; }}; }};
lines = {{ driver = "sim"; }};
lane_timing = {{ pulse_ms = 100; pulse_gap_ms = 50; }};
policy = {{ none = "open"; }};
journal = {{ path = "{self.folder}/journal.db"; site_key_file = "{key}"; }};
trust = {{ folder = "{self.folder}/trust"; }};
clock = {{ trust = "always"; }};
mqtt = {{ host = "127.0.0.1"; port = {port}; }};
''')

    def start(self, build, passages, every_ms):
        self.log = open(self.folder / "log", "w")
        self.process = subprocess.Popen([build / "load_lane", "--config", self.config, "--passages", str(passages), "--every-ms",
                                         str(every_ms)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)

    def line(self, what):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.topic} ended before {what}:\n{(self.folder / 'log').read_text()[-1000:]}")
        return line

    def go(self, at_us):
        self.process.stdin.write(f"go {at_us}\n")
        self.process.stdin.flush()

    def finish(self):
        if self.process is None:
            return
        if not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            gate.end(self.process)
        self.log.close()


class Broker(gate.Broker):
    def start(self):
        conf = self.folder / "mosquitto.conf"
        shipped = (ROOT / "config" / "mosquitto" / "qrgate.conf").read_text()
        limits = [line for line in shipped.splitlines() if line.split(" ")[0] in
                  ("autosave_interval", "max_queued_messages", "message_size_limit", "set_tcp_nodelay")]
        assert len(limits) == 4
        conf.write_text("\n".join([f"listener {self.port} 127.0.0.1", "allow_anonymous true", "persistence true",
                                   f"persistence_location {self.folder}/", "user root", *limits, ""]))
        self.process = subprocess.Popen(["mosquitto", "-c", conf], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        gate.wait_for(self.answers, 10, "mosquitto listens")


def quantile(values, q):
    return values[min(len(values) - 1, max(0, math.ceil(q * len(values)) - 1))] if values else float("nan")


def judge(lanes, events, passages):
    """(faults, latencies in ms of the passages): each lane's every seq once, in order, and as many passages as were shown."""
    faults, latencies, seqs, granted = [], [], {}, {}
    for topic, payload, at_us in events:
        lane, event = topic.rsplit("/", 1)[0], json.loads(payload)
        seqs.setdefault(lane, []).append(event["seq"])
        if event["kind"] == "granted":
            granted[lane] = granted.get(lane, 0) + 1
            latencies.append((at_us - event["monotonic_us"]) / 1000)
    for lane in lanes:
        got = seqs.get(lane.topic, [])
        if got != list(range(1, len(got) + 1)):
            faults.append(f"{lane.topic}: {len(set(got))} of {max(got, default=0)} events, {len(got) - len(set(got))} doubled, in order: "
                          f"{got == sorted(got)}")
        if granted.get(lane.topic, 0) != passages:
            faults.append(f"{lane.topic}: {granted.get(lane.topic, 0)} passages of {passages}")
    return faults, sorted(latencies)


def start_all(lanes, options, passages):
    """A few at a time; each is connected and hears its site before the clock starts."""
    for first in range(0, len(lanes), START_AT_ONCE):
        some = lanes[first:first + START_AT_ONCE]
        for lane in some:
            lane.start(options.build, passages, options.every_ms)
        for lane in some:
            lane.line("ready")


def run(options, folder):
    broker = Broker(folder)
    receiver, lanes = None, []
    passages = max(1, options.seconds * 1000 // options.every_ms)
    try:
        receiver = Receiver(broker.port)
        empty_kb = Process(broker.process.pid).memory_kb()[0]
        lanes = [Lane(number, folder, options, broker.port) for number in range(options.lanes)]
        start_all(lanes, options, passages)
        measured = Process(broker.process.pid)
        watched = [Process(lane.process.pid) for lane in lanes]
        cpu_before, lanes_before = measured.cpu_s(), sum(p.cpu_s() for p in watched)
        began = time.monotonic()
        dice = random.Random(200)  # spread over the interval, as people are
        for lane in lanes:
            lane.go(int((began + LEAD_S) * 1e6) + dice.randrange(options.every_ms * 1000))
        reports = [json.loads(lane.line("its report")) for lane in lanes]
        took = time.monotonic() - began
        result = {"wall_s": took, "broker_cpu_s": measured.cpu_s() - cpu_before, "broker_kb": measured.memory_kb()[0], "empty_kb": empty_kb,
                  "lanes_cpu_s": sum(p.cpu_s() for p in watched) - lanes_before,
                  "lane_kb": [p.memory_kb() for p in watched], "reports": reports}
        expected = options.lanes * passages
        try:
            gate.wait_for(lambda: len(receiver.events) >= expected or receiver.gone, 30, "the last events")
        except TimeoutError:
            pass  # judge() says which are missing
    finally:
        for lane in lanes:
            if lane.process and not lane.process.stdin.closed:
                lane.process.stdin.close()
        for lane in lanes:
            lane.finish()
        gone = receiver and receiver.gone
        if receiver:
            receiver.close()
        broker.stop()
    faults, latencies = judge(lanes, receiver.events, passages)
    faults += [f"the receiver was cut off: {gone}"] if gone else []
    faults += [f"{lane.topic}: {report}" for lane, report in zip(lanes, reports)
               if report["unsent"] or report["shown"] != passages or report["granted"] != passages]
    received = {}
    for topic, _, _ in receiver.events:
        lane = topic.rsplit("/", 1)[0]
        received[lane] = received.get(lane, 0) + 1
    faults += [f"{lane.topic}: {received.get(lane.topic, 0)} events of {report['last_seq']}" for lane, report in zip(lanes, reports)
               if received.get(lane.topic, 0) < report["last_seq"]]
    faults += [f"{lane.topic}: ended with {lane.process.returncode}" for lane in lanes if lane.process.returncode != 0]
    return result, faults, latencies, passages


def rows_of(options, result, latencies, passages):
    count, spent = len(latencies), result["wall_s"] - LEAD_S - options.every_ms / 1000  # a lane waits that long before its report
    published = count / spent
    rss, pss = (sum(kb[i] for kb in result["lane_kb"]) / options.lanes / 1024 for i in (0, 1))
    relay = sorted(report["relay_p99_us"] for report in result["reports"])
    return [
        ("lanes", options.lanes, "", f"{math.ceil(options.lanes / options.site_lanes)} sites of {options.site_lanes}, each lane follows "
                                     "its site"),
        ("passages", count, "", f"{passages} a lane, one each {options.every_ms} ms"),
        ("rate", published, "1/s", "passages received"),
        ("latency_p50", quantile(latencies, 0.5), "ms", "passage decided to received, CLOCK_MONOTONIC"),
        ("latency_p99", quantile(latencies, 0.99), "ms", ""),
        ("latency_max", latencies[-1] if latencies else float("nan"), "ms", ""),
        ("relay_p99", quantile(relay, 0.5) / 1000, "ms", "card read to relay, the median lane's p99"),
        ("lane_cpu", 1000 * result["lanes_cpu_s"] / options.lanes / spent, "ms/s", "CPU a lane, a second"),
        ("lane_rss", rss, "MB", "resident a lane"),
        ("lane_pss", pss, "MB", "… with shared pages divided among them"),
        ("broker_cpu", 100 * result["broker_cpu_s"] / spent, "%", "of one core"),
        ("broker_cpu_passage", 1e6 * result["broker_cpu_s"] / max(count, 1), "us", "CPU a passage, its fan-out and acknowledgements "
                                                                                   "included"),
        ("broker_rss", result["broker_kb"] / 1024, "MB", "resident"),
        ("broker_lane", (result["broker_kb"] - result["empty_kb"]) / options.lanes, "kB", "of that a lane: its session and queues"),
    ]


def ten_thousand(values, options):
    """What was measured, multiplied: words, not promises."""
    core, lanes, a_day = values["broker_cpu_passage"] / 1e6, 10000, 3000
    average, peak = lanes * a_day / 86400, lanes * 1000 / options.every_ms
    if core <= 0:
        return "\nThe broker used less than a clock tick: too short a run to say anything of 10000 lanes."
    return f"""
For {lanes} lanes. mosquitto is one thread; a passage, with what follows of it, cost it {core * 1e6:.0f} us, so one core of this machine
carries about {1 / core:.0f} a second. {a_day} passages a lane and day are {average:.0f} a second on the average: {100 * average * core:.0f} % of that core. All lanes
at once with a passage each {options.every_ms / 1000:g} s are {peak:.0f} a second: {peak * core:.1f} cores, where one mosquitto has one. Memory:
{values['broker_lane']:.0f} kB a lane here, {values['broker_lane'] * lanes / 1024:.0f} MB for all. So a broker a site, bridged (config/mosquitto), or
a clustered broker (EMQX, HiveMQ, VerneMQ) in mosquitto's place; on a lane nothing changes but mqtt.host, for it asks no more
of a broker than QoS 1, retained messages, a will and a session that is kept. A lane itself used {values['lane_cpu']:.1f} ms of CPU a second."""


def show(options, rows, faults):
    bench = pathlib.Path(options.build) / "bench"
    bench.mkdir(parents=True, exist_ok=True)
    with open(bench / "load.tsv", "w") as out:
        out.write("name\tvalue\tunit\twhat\n")
        for name, value, unit, what in rows:
            text = f"{value:.2f}" if isinstance(value, float) else str(value)
            out.write(f"{name}\t{text}\t{unit}\t{what}\n")
            print(f"{name:20} {text:>10} {unit:5} {what}")
    for fault in faults[:20]:
        print(f"FAULT {fault}")
    print(f"nothing lost, nothing doubled, in order: {'yes' if not faults else f'NO, {len(faults)} faults'}")
    print(ten_thousand({name: value for name, value, _, _ in rows}, options))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--lanes", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--every-ms", type=int, default=1000)
    parser.add_argument("--site-lanes", type=int, default=4, help="lanes a site: they follow each other's passages")
    parser.add_argument("--folder", type=pathlib.Path, help="where the journals are; default: in memory, for on one disk 200 lanes "
                        "would wait for each other, which no lane with a disk of its own does")
    options = parser.parse_args()
    options.build = options.build.resolve()
    if options.folder is None and os.access("/dev/shm", os.W_OK):
        options.folder = pathlib.Path("/dev/shm")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="qrgate-load-", dir=options.folder))
    try:
        result, faults, latencies, passages = run(options, folder)
    finally:
        shutil.rmtree(folder)
    show(options, rows_of(options, result, latencies, passages), faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
