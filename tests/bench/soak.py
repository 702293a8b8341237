#!/usr/bin/python3
"""`make soak-here`: the whole gate (qrgated with its eye, journal and MQTT; a camera of pictures, a panel for the wires) as fast as its
pulses allow, on several lanes at once, with a fault now and then: the eye is killed, the broker goes and comes, it stands still,
the configuration is read again. In the end the journals, the subscriber and the relays must agree, each pulse must be whole, and
memory, descriptors and threads be as they were. The lab's soak does the same with real drivers in an emulated machine, slowly."""
import argparse
import collections
import contextlib
import os
import pathlib
import shutil
import signal
import sqlite3
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
import gate  # noqa: E402

PEOPLE = 50
PULSE_MS, GAP_MS = 100, 50
SHOWN_MS, BETWEEN_MS = 150, 20
GROWTH_MAX_KIB = 2048
STANDSTILL_S = 3


class SoakLane(gate.Lane):
    def __init__(self, folder, build, port, number):
        super().__init__(folder, build, port, lane=f"lane{number}", size=(320, 240), hold_ms=SHOWN_MS, gap_ms=BETWEEN_MS, loop=True,
                         extra=f"lane_timing = {{ pulse_ms = {PULSE_MS}; pulse_gap_ms = {GAP_MS}; }};")
        self.topic = f"qrgate/demo/lane{number}"
        for i in range(PEOPLE):
            who = f"022068{i:06d}"
            self.declare(f"cccd:{who}", "green")
            self.add(f"{who}||Người Mẫu {i}|10041968|Nam|Khu 7, Phường Mẫu, Quảng Yên, Quảng Ninh|06122022")

    def footprint(self):
        """Of the main process: KiB, descriptors, threads."""
        process = pathlib.Path(f"/proc/{self.process.pid}")
        kib = next(int(line.split()[1]) for line in (process / "status").read_text().splitlines() if line.startswith("VmRSS:"))
        return kib, len(list((process / "fd").iterdir())), len(list((process / "task").iterdir()))

    def edges_us(self):
        return [(line.endswith(" on"), int(line.split("t_us=")[1].split()[0]))
                for part in self.panel_lines for line in part if " relay o" in line]

    def rows(self):
        with contextlib.closing(sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True)) as journal:
            return journal.execute("SELECT seq, event_id, kind FROM event ORDER BY seq").fetchall()


class Soak:
    def __init__(self, lanes, broker, subscriber, passages, fault_s):
        self.lanes, self.broker, self.subscriber, self.passages, self.fault_s = lanes, broker, subscriber, passages, fault_s
        self.faults = 0
        self.last_heard, self.read = {}, 0  # seq by topic; of how many of the subscriber's messages
        self.wanted = {}  # the seq by which a lane shows that it is over the last fault
        self.sizes = []  # before each fault, of every lane

    def passed(self):
        return sum(lane.pulses() for lane in self.lanes)

    def kill_the_eyes(self):
        for lane in self.lanes:
            eye = lane.eye_pid()
            if eye:
                os.kill(eye, signal.SIGKILL)

    def restart_the_broker(self):
        self.broker.stop()
        self.broker.start()

    def stop_the_broker_for_a_while(self):
        self.broker.process.send_signal(signal.SIGSTOP)
        time.sleep(STANDSTILL_S)  # what a slow broker is
        self.broker.process.send_signal(signal.SIGCONT)

    def reload(self):
        for lane in self.lanes:
            lane.process.send_signal(signal.SIGHUP)

    def expect_news(self):
        self.wanted = {f"{lane.topic}/passage": lane.rows()[-1][0] + 1 for lane in self.lanes}

    def settled(self):
        """Each lane has an eye and a broker again: a passage since the last fault was heard of."""
        for topic, body in self.subscriber.messages[self.read:]:
            self.read += 1
            if topic.endswith("/passage"):
                self.last_heard[topic] = max(body["seq"], self.last_heard.get(topic, 0))
        return all(self.last_heard.get(topic, 0) >= seq for topic, seq in self.wanted.items())

    def next_fault(self):
        kinds = (self.kill_the_eyes, self.restart_the_broker, self.reload, self.stop_the_broker_for_a_while)
        kinds[self.faults % len(kinds)]()
        self.faults += 1
        self.expect_news()

    def run(self):
        began = fault_due = time.monotonic()
        told = 0
        fault_due += self.fault_s
        while self.passed() < self.passages:
            time.sleep(0.5)  # between two looks at the counts
            now = time.monotonic()
            ended = [lane.topic for lane in self.lanes if lane.process.poll() is not None]
            assert not ended, f"ended by itself: {ended}"
            if now >= fault_due and self.settled():
                self.sizes.append([lane.footprint() for lane in self.lanes])
                self.next_fault()
                fault_due = time.monotonic() + self.fault_s
            if now - told >= (1 if sys.stdout.isatty() else 60):
                told = now
                tell(self.passed(), self.passages, now - began, self.faults)
        self.seconds = time.monotonic() - began
        gate.wait_for(self.settled, 60, "a passage of every lane since the last fault")
        self.sizes.append([lane.footprint() for lane in self.lanes])


def tell(passed, passages, seconds, faults):
    done = passed / passages
    bar = "#" * int(30 * done)
    line = f"[{bar:30}] {passed} of {passages}, {passed / max(seconds, 1):.1f} a second, {faults} faults"
    print(f"\r{line}" if sys.stdout.isatty() else line, end="" if sys.stdout.isatty() else "\n", flush=True)


def restart_and_drain(lanes, subscriber):
    """The rows of the end are sent at the next start; its own stop is in no broker's hands."""
    for lane in lanes:
        lane.pictures.rename(lane.folder / "shown")
        lane.pictures.mkdir()
        lane.start()
    for lane in lanes:
        last = lane.rows()[-1]
        subscriber.wait(lambda event: event["event_id"] == last[1], 120, f"{lane.topic}'s last event")
    for lane in lanes:
        assert lane.stop() == 0, lane.topic


def judge(lanes, heard):
    """Complaints; none is what is wanted."""
    wrong = []
    by_id = collections.defaultdict(set)
    for topic, event in heard:
        by_id[event["event_id"]].add((topic.split("/")[2], event["seq"]))
    known = {}
    for lane in lanes:
        rows = lane.rows()
        name = lane.topic.rsplit("/", 1)[1]
        known.update((event_id, (name, seq)) for seq, event_id, _ in rows)
        if [seq for seq, _, _ in rows] != list(range(1, len(rows) + 1)):
            wrong.append(f"{name}: a gap in the journal")
        kinds = collections.Counter(kind for _, _, kind in rows)
        let_in, cut = kinds["granted"] + kinds["override"] - kinds["not_used"], kinds["interrupted"]
        pulses = sum(on for on, _ in lane.edges_us())
        if not let_in - cut <= pulses <= let_in:
            wrong.append(f"{name}: {pulses} pulses for {let_in} that were let in, {cut} of them interrupted")
        unheard = [row for row in rows[:-1] if row[1] not in by_id]
        if unheard:
            wrong.append(f"{name}: never heard: {len(unheard)}, as {unheard[:3]}")
        verified = lane.ctl("verify", check=False)
        if verified.returncode != 0:
            wrong.append(f"{name}: verify: {verified.stderr.strip()}")
    for event_id, said in by_id.items():
        if said != {known.get(event_id)}:
            wrong.append(f"heard {event_id} as {sorted(said)}, the journal has {known.get(event_id)}")
    return wrong


def widths_us(lane):
    """Of the whole ones: the last, where the stop came into it, is as short as it is, and has its `interrupted`."""
    edges = lane.edges_us()
    widths = [off_us - on_us for (on, on_us), (off, off_us) in zip(edges, edges[1:]) if on and not off]
    cut = any(kind == "interrupted" for _, _, kind in lane.rows())
    return widths[:-1] if cut else widths


def judge_sizes(soak):
    wrong, kinds = [], 4
    first, last = soak.sizes[min(kinds, len(soak.sizes) - 2)], soak.sizes[-1]  # its usual size is that after each fault once
    for lane, (kib, fds, threads), (kib_now, fds_now, threads_now) in zip(soak.lanes, first, last):
        if kib_now - kib > GROWTH_MAX_KIB:
            wrong.append(f"{lane.topic}: memory grew from {kib} to {kib_now} KiB")
        if fds_now != fds or threads_now != threads:
            wrong.append(f"{lane.topic}: descriptors {fds} -> {fds_now}, threads {threads} -> {threads_now}")
    return wrong, first, last


def soak(build, lanes_wanted, passages, fault_s, folder):
    with contextlib.ExitStack() as ends:
        broker = gate.Broker(folder)
        ends.callback(broker.stop)
        subscriber = gate.Subscriber(broker.port)
        ends.callback(subscriber.stop)
        lanes = [SoakLane(folder / f"lane{n}", build, broker.port, n) for n in range(1, lanes_wanted + 1)]
        for lane in lanes:
            ends.callback(lane.stop)
            lane.start()
        run = Soak(lanes, broker, subscriber, passages, fault_s)
        run.run()
        for lane in lanes:
            assert lane.stop() == 0, lane.topic
        restart_and_drain(lanes, subscriber)
        wrong, first, last = judge_sizes(run)
        heard = [(topic, body) for topic, body in subscriber.messages if topic.endswith(("/passage", "/alarm"))]
        wrong += judge(lanes, heard)
        widths = sorted(width for lane in lanes for width in widths_us(lane))
    short = [width for width in widths if width < PULSE_MS * 1000]
    if short:
        wrong.append(f"{len(short)} of {len(widths)} pulses are shorter than {PULSE_MS} ms, the shortest {short[0] / 1000} ms")
    at = lambda share: widths[min(len(widths) - 1, int(len(widths) * share))] / 1000  # noqa: E731
    print(f"\n{len(widths)} passages on {lanes_wanted} lanes in {run.seconds:.0f} s, {run.faults} faults; {len(heard)} messages "
          f"heard\npulse of {PULSE_MS} ms: shortest {at(0):.3f}, p50 {at(0.5):.3f}, p99 {at(0.99):.3f}, longest {at(1):.3f} ms\n"
          f"memory of the largest lane: {max(one[0] for one in first)} KiB after the first faults, {max(one[0] for one in last)} KiB in the "
          f"end; descriptors {first[0][1]} -> {last[0][1]}, threads {first[0][2]} -> {last[0][2]}")
    for part in (1, 2, 3):
        sizes = run.sizes[(len(run.sizes) - 1) * part // 4]
        print(f"    after {part}/4 of the time: {', '.join(str(one[0]) for one in sizes)} KiB")
    for complaint in wrong[:20]:
        print(f"WRONG: {complaint}")
    print("nothing lost, nothing doubled, no pulse short, the lanes as large as they were" if not wrong else f"{len(wrong)} complaints")
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--lanes", type=int, default=6)
    parser.add_argument("--passages", type=int, default=100000, help="of all lanes together")
    parser.add_argument("--fault-s", type=float, default=60)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    folder = pathlib.Path(tempfile.mkdtemp(prefix="qrgate-soak."))
    try:
        return soak(options.build, options.lanes, options.passages, options.fault_s, folder)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
