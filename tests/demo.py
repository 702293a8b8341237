#!/usr/bin/python3
"""A morning at the gate: the real daemon, a real broker, people made up. Prints what an MQTT subscriber received."""
import argparse
import collections
import datetime
import os
import pathlib
import re
import shutil
import sys
import time

import gate

sys.path.insert(0, str(gate.ROOT / "tests" / "data"))
import make_hc1  # noqa: E402  the made-up ministry

PEOPLE = {  # all made up
    "green": "022199012345|100200300|Nguyễn Thị Bích Phượng|15081999|Nữ|Tổ 3, Khu 2, Phường Hà An, Quảng Yên|01082022",
    "yellow": "022099054321||Đoàn Văn Thử|30121999|Nam|Thôn Một, Xã Hai, Quảng Ninh|01082024||||",
    "red": "022085001122||Bùi Đình Mẫu|12031985|Nam|Khu 7, Phường Yên Giang|06122022",
    "expired": "022190003344||Lê Thị Ví Dụ|02021990|Nữ|Khu 1, Phường Quảng Yên|11112021",
    "unknown": "022201005566||Phạm Văn Thí Nghiệm|09092001|Nam|Xã Sông Khoai|10102023",
}
PERSONAL_CODE = "001093029317|NGUYEN VAN A|1993-01-18|0|162979388586171100|<1<00<0123232422"
INSURANCE_CARD = ("2201234567|4e677579e1bb856e205468e1bb8b2042c3ad636820506870c6b0e1bba36e67|15/08/1999|2|-|22 - 001|01/01/2026|-|"
                  "05/01/2026|22012200123456|-|4| 01/01/2027|0123456789abcdef-1202|$")
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


def certificate(signer, now, kind, **changes):
    """An EU-format certificate of today."""
    day = datetime.timedelta(days=1)
    entry = {"v": {**make_hc1.V, "dt": (now - 60 * day).date().isoformat()},
             "t": {**make_hc1.T, "sc": (now - day / 2).isoformat(timespec="seconds"), **changes}}[kind]
    claims = make_hc1.cwt(make_hc1.dcc(kind, entry), iat=int(now.timestamp()) - 3600, exp=int((now + 90 * day).timestamp()))
    return make_hc1.text(make_hc1.message(claims, signer))


def make_morning(lane):
    """What each person shows, and what the gate must make of it: (name, payload, kind of event)."""
    lane.declare("cccd:022199012345,bhyt:2201234567", "green")  # one person with two numbers
    lane.declare("cccd:022099054321", "yellow")
    lane.declare("cccd:022085001122", "red")
    lane.declare("cccd:022190003344", "green", "--at", str(int(time.time()) - 30 * 86400))
    lane.declare("badge:0300", "green")
    lane.ctl("declare", "--subject", "cccd:001093029317", "--symptoms", "fever")  # what a fever means is policy: red
    now = datetime.datetime.now(make_hc1.UTC)
    ministry = make_hc1.Signer(make_hc1.ec_key(1), since=now - datetime.timedelta(400), until=now + datetime.timedelta(400))
    (lane.trust / "ministry.pem").write_text(ministry.pem)
    token, forger = lane.issuer(), lane.issuer("forger", trusted=False)
    good, lost = token("badge:0042", "green"), token("badge:0043", "green")
    lane.ctl("revoke", lost)
    phone = lane.ctl("token", "provision", "--subject", "badge:0300", "--valid", "1d").stdout.strip()
    rotating = lane.ctl("token", "rotate-demo", "--once", "--code", phone).stdout.strip()
    showings = [
        ("rotating code on a phone", rotating, "granted"),
        ("citizen card, declared green", PEOPLE["green"], "granted"),
        ("a screenshot of the rotating code", rotating, "denied"),
        ("insurance card of the same person", INSURANCE_CARD, "granted"),
        ("signed token, green", good, "granted"),
        ("vaccination certificate", certificate(ministry, now, "v"), "granted"),
        ("positive test", certificate(ministry, now, "t", tr="260373001"), "denied"),
        ("declared yellow", PEOPLE["yellow"], "held"),
        ("declared red", PEOPLE["red"], "denied"),
        ("personal code 1405, has a fever", PERSONAL_CODE, "denied"),
        ("declaration expired", PEOPLE["expired"], "held"),
        ("nobody knows them", PEOPLE["unknown"], "held"),
        ("a token revoked", lost, "denied"),
        ("signed by a stranger", forger("badge:0001", "green"), "denied"),
        ("forged: one letter changed", tampered(good), "denied"),
        ("a place's poster", "https://tokhaiyte.vn/?page=Group.checkin&groupId=0123456789abcdef01234567", "denied"),
        ("SMART Health Card", "shc:/5676290952432060346029243740446031222959532654603460292540772804336028", "denied"),
        ("stays 8 s before the camera", token("badge:0077", "green"), "granted")]
    for name, payload, _ in showings:
        lane.add(payload, re.sub("[^a-z0-9]+", "-", name))
    for _ in range(3):  # still there: the same showing, so no further event
        lane.add((sorted(lane.pictures.glob("*.pgm"))[-1]).read_bytes(), "still-held")
    for photo in foreign_pictures():
        lane.count += 1
        shutil.copy(photo, lane.pictures / f"{lane.count:06d}-photograph.png")
    return showings + [("a photograph of a stranger's code", None, "denied")] * len(foreign_pictures())


def tampered(token):
    """Another character inside the signature: still Base45, no longer signed."""
    at = len(token) - 20
    return token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1:]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    build = parser.parse_args().build
    seconds = int(os.environ.get("DEMO_SECONDS", "150"))
    with gate.throw_away_folder("qrgate-demo-") as folder:
        broker = gate.Broker(folder)
        lane = gate.Lane(folder, build, broker.port, hold_ms=1400, gap_ms=700, leave_ms=1100)
        showings = make_morning(lane)
        shown, foreign = len(showings) - len(foreign_pictures()), len(foreign_pictures())
        wanted = [kind for _, _, kind in showings]
        subscriber = gate.Subscriber(broker.port)
        print(f"qrgate demo: broker on 127.0.0.1:{broker.port}, {shown} people and {foreign} photographs of strangers' codes; "
              f"relay and buzzer: 50 ms a character\n")
        story, told, faults = Story(lane, [name for name, _, _ in showings]), 0, []
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
        expected = {**collections.Counter(wanted), "override": 1}
        if seconds:
            faults += [f"{k}: expected {n}, got {c.get(k, 0)}" for k, n in expected.items() if c.get(k, 0) != n]
        for fault in faults:
            print("demo:", fault, file=sys.stderr)
            print(lane.log()[-2000:], file=sys.stderr)
        return 1 if faults or code != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
