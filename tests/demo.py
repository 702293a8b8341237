#!/usr/bin/python3
"""A morning at the gate: the real daemon, a real broker, people made up. Prints what an MQTT subscriber received."""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import time

import gate

PEOPLE = {  # all made up
    "green": "022199012345|100200300|Nguyễn Thị Bích Phượng|15081999|Nữ|Tổ 3, Khu 2, Phường Hà An, Quảng Yên|01082022",
    "yellow": "022099054321||Đoàn Văn Thử|30121999|Nam|Thôn Một, Xã Hai, Quảng Ninh|01082024||||",
    "red": "022085001122||Bùi Đình Mẫu|12031985|Nam|Khu 7, Phường Yên Giang|06122022",
    "expired": "022190003344||Lê Thị Ví Dụ|02021990|Nữ|Khu 1, Phường Quảng Yên|11112021",
    "unknown": "022201005566||Phạm Văn Thí Nghiệm|09092001|Nam|Xã Sông Khoai|10102023",
}
COLOUR = {"granted": "32", "override": "36", "held": "33", "denied": "31"}
WORDS = {"granted": "OPEN ", "override": "GUARD", "held": "HOLD ", "denied": "DENY ", "alarm_begin": "ALARM", "start": "start",
         "stop": "stop "}


def paint(text, code):
    return f"\033[{code}m{text}\033[0m" if sys.stdout.isatty() and code else text


def strip(panel, since, until, what, cell_us=50000):
    """What one output did, a character for each 50 ms."""
    level, cells, changes = False, [], []
    for line in panel:
        words = line.split()
        if len(words) == 4 and words[2] == what:
            changes.append((int(words[1].split("=")[1]), words[3] == "on"))
    for start in range(since, until, cell_us):
        for at, state in changes:
            if at < start + cell_us // 2:
                level = state
        cells.append("█" if level else "▁")
    return "".join(cells)


class Story:
    def __init__(self, lane, showings):
        self.lane, self.previous, self.counts, self.drawn = lane, None, {}, set()
        self.seqs, self.shown = {}, iter(showings)

    def draw_previous(self, wait_s, next_us=None):
        """The panel's strip under an event, once its signal has been heard out or the next event has begun."""
        if self.previous is None:
            return
        since = self.previous["monotonic_us"] - 50000
        end_us = min(since + 2000000, (next_us or 1 << 62) - 50000)
        left = end_us / 1e6 - time.monotonic()
        if left > 0:
            time.sleep(min(left, wait_s))
        for what in ("relay", "buzzer"):
            print(f"            {what:>7} {strip(self.lane.panel.all, since, end_us, what)}", flush=True)
        self.previous = None

    def tell(self, event):
        if event["event_id"] in self.drawn:
            return
        self.drawn.add(event["event_id"])
        kind = event["kind"]
        self.counts[kind] = self.counts.get(kind, 0) + 1
        person = f"person {event['person'][:8]}…" if event.get("person") else ""
        about = f"for #{self.seq_of(event['bound_event_id'])}" if event.get("bound_event_id") else ""
        text = f"  {event['at'][11:23]}  #{event['seq']:<3} {WORDS.get(kind, kind):5}  {event.get('reason') or '':20} " \
               f"{event.get('credential') or '':11} {person} {about}"
        self.seqs[event["event_id"]] = event["seq"]
        if kind in ("granted", "held", "denied"):
            text = f"{text:88} ({next(self.shown, '?')})"
        print(paint(text.rstrip(), COLOUR.get(kind)), flush=True)
        if kind in COLOUR:
            self.previous = event

    def seq_of(self, event_id):
        return self.seqs.get(event_id, "?")


def foreign_pictures():
    photos = gate.ROOT.parent / "shared" / "photos" / "qrcode-2"
    return [p for name in ("1.png", "10.png") if (p := photos / name).exists()]


def make_morning(lane):
    lane.declare("cccd:022199012345", "green")
    lane.declare("cccd:022099054321", "yellow")
    lane.declare("cccd:022085001122", "red")
    lane.declare("cccd:022190003344", "green", "--at", str(int(time.time()) - 30 * 86400))
    token, forger = lane.issuer(), lane.issuer("forger", trusted=False)
    good = token("badge:0042", "green")
    showings = [("green by the register", PEOPLE["green"]), ("green, signed token", good), ("yellow", PEOPLE["yellow"]),
                ("red", PEOPLE["red"]), ("declaration expired", PEOPLE["expired"]), ("nobody knows them", PEOPLE["unknown"]),
                ("signed by a stranger", forger("badge:0001", "green")), ("forged: one letter changed", tampered(good)),
                ("stays 8 s before the camera", token("badge:0077", "green"))]
    for name, payload in showings:
        lane.add(payload, name.replace(" ", "-").replace(":", "").replace(",", ""))
    for _ in range(3):  # still there: the same showing, so no further event
        lane.add((sorted(lane.pictures.glob("*.pgm"))[-1]).read_bytes(), "still-held")
    for photo in foreign_pictures():
        lane.count += 1
        shutil.copy(photo, lane.pictures / f"{lane.count:06d}-photograph.png")
    return [name for name, _ in showings] + ["a photograph of a stranger's code"] * len(foreign_pictures())


def tampered(token):
    """Another character inside the signature: still Base45, no longer signed."""
    at = len(token) - 20
    return token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1:]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    build = parser.parse_args().build
    seconds = int(os.environ.get("DEMO_SECONDS", "90"))
    with gate.throw_away_folder("qrgate-demo-") as folder:
        broker = gate.Broker(folder)
        lane = gate.Lane(folder, build, broker.port, hold_ms=1400, gap_ms=700, leave_ms=1100)
        showings = make_morning(lane)
        shown, foreign = len(showings) - len(foreign_pictures()), len(foreign_pictures())
        subscriber = gate.Subscriber(broker.port)
        print(f"qrgate demo: broker on 127.0.0.1:{broker.port}, {shown} people and {foreign} photographs of strangers' codes; "
              f"relay and buzzer: 50 ms a character\n")
        story, told, faults = Story(lane, showings), 0, []
        try:
            lane.start()
            until = time.monotonic() + seconds if seconds else float("inf")
            pressed_for = set()
            while time.monotonic() < until:
                events = subscriber.events()
                for event in events[told:]:
                    story.draw_previous(2.0, event["monotonic_us"])
                    story.tell(event)
                    if event["kind"] == "held" and event["reason"] == "status_yellow" and event["event_id"] not in pressed_for:
                        pressed_for.add(event["event_id"])
                        time.sleep(1)  # the guard looks at the person first
                        lane.press()
                told = len(events)
                passages = sum(story.counts.get(k, 0) for k in ("granted", "held", "denied"))
                if seconds and passages >= shown + foreign:
                    break
                time.sleep(0.05)
            story.draw_previous(2.0)
            if seconds and lane.relay_on():
                faults.append("the relay is still on")
        except KeyboardInterrupt:
            pass
        finally:
            code = lane.stop()
            subscriber.stop()
            broker.stop()
        c = story.counts
        print(f"\n{c.get('granted', 0)} opened, {c.get('held', 0)} held for staff, {c.get('denied', 0)} refused, "
              f"{c.get('override', 0)} let through by the guard's button; qrgated ended with {code}")
        print(next((line[3:] for line in reversed(lane.log().splitlines()) if "frame to relay" in line), ""))
        expected = {"granted": 3, "held": 3, "denied": 3 + foreign, "override": 1}
        if seconds:
            faults += [f"{k}: expected {n}, got {c.get(k, 0)}" for k, n in expected.items() if c.get(k, 0) != n]
        for fault in faults:
            print("demo:", fault, file=sys.stderr)
            print(lane.log()[-2000:], file=sys.stderr)
        return 1 if faults or code != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
