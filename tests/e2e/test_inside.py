"""Who is inside: `qrgatectl inside` on paper and as JSON, the office's list matched with it, and the muster list that a fire
sends out by itself, broker there or not."""
import json
import pathlib
import re
import sqlite3
import subprocess
import sys
import time

import jsonschema
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import gate  # noqa: E402

PAGE = 16  # JOURNAL_MUSTER_MAX
STAFF = [(f"cccd:0220990000{i:02d}", name) for i, name in enumerate(["Đỗ Thị Thử", "Bùi Văn Mẫu", "Cao Thị Ví Dụ"], 10)]
CARD = "{}||Trần Thị Thử|15081999|Nữ|Phường Thử Nghiệm, Quảng Ninh|01082022"
ROW = re.compile(r"\[ \] +(\d+)  (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)  (\S+) +([0-9a-f]{32})(?:  (.+))?$")
SINCE_US = 1767225600_000000  # 2026-01-01T00:00:00Z


class Desk:
    """A register with people declared by a file, and some of them inside by rows as passages leave them."""

    def __init__(self, folder, build):
        self.lane = gate.Lane(folder / "lane", build, 1, mqtt="enabled = false;", extra='direction = "in";')
        rows = "".join(f"{subject},green,2026-01-01T06:00+07:00\n" for subject, _ in STAFF)
        people = folder / "people.csv"
        people.write_text("subject,status,declared_at\n" + rows)
        self.lane.ctl("import", people)
        self.hashes = [line.split(",")[0] for line in self.lane.ctl("export").stdout.splitlines()[1:]]
        assert len(self.hashes) == len(STAFF)

    def put(self, person, minutes=0, lane="lane1", inside=1):
        with sqlite3.connect(self.lane.journal) as db:
            db.execute("INSERT OR REPLACE INTO presence VALUES (?, ?, ?, ?, '', 0, 'none', NULL, 0, 0)",
                       (person, inside, SINCE_US + minutes * 60_000000, lane))
        db.close()

    def inside(self, *words, check=True, **more):
        # The parent's zone must not decide what is printed.
        return self.lane.ctl("inside", *words, check=check, env={"TZ": "<+07>-7", "PATH": "/usr/bin:/bin"}, **more)


@pytest.fixture
def desk(tmp_path, build):
    return Desk(tmp_path, build)


def enter(journal, persons):
    with sqlite3.connect(journal, timeout=10) as db:
        db.executemany("INSERT INTO presence VALUES (?, 1, ?, 'lane1', '', 0, 'none', NULL, 0, 0)",
                       [(person, SINCE_US + i) for i, person in enumerate(persons)])
    db.close()


def rows_of(text):
    return [match.groups() for match in map(ROW.match, text.splitlines()) if match]


def test_nobody_is_a_list_too(desk):
    text = desk.inside().stdout
    assert re.match(r"Who is inside: demo, by what lane lane1 knows\n\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+07:00: 0 inside\n", text)
    assert text.endswith("\nTotal: 0 inside.\n") and rows_of(text) == []
    assert desk.inside("--json").stdout == ""


def test_rows_for_paper(desk):
    desk.put(desk.hashes[0], minutes=30)
    desk.put(desk.hashes[1], minutes=10, lane="gate-b")
    desk.put(desk.hashes[2], inside=0)
    desk.put("f" * 32, inside=None)
    text = desk.inside().stdout
    assert rows_of(text) == [("1", "2026-01-01 07:10:00", "gate-b", desk.hashes[1], None),
                             ("2", "2026-01-01 07:30:00", "lane1", desk.hashes[0], None)]
    head, *rows = [line for line in text.splitlines() if line.startswith(("  ", "["))]
    for word, at in (("SINCE", 11), ("LANE", 32), ("PERSON", 46)):
        assert head.index(word) == at and all(row[at - 1] == " " != row[at] for row in rows)
    assert all(len(line) <= 80 for line in text.splitlines()), "paper is 80 columns wide"
    assert text.endswith("\nTotal: 2 inside.\n")
    assert [json.loads(line) for line in desk.inside("--json").stdout.splitlines()] == [
        {"person": desk.hashes[1], "since": "2026-01-01T00:10:00.000Z", "since_us": SINCE_US + 600_000000, "lane": "gate-b"},
        {"person": desk.hashes[0], "since": "2026-01-01T00:30:00.000Z", "since_us": SINCE_US + 1800_000000, "lane": "lane1"}]


@pytest.mark.parametrize("people", [PAGE - 1, PAGE, PAGE + 1, 3000])
def test_everybody_is_listed_once(desk, people):
    enter(desk.lane.journal, [f"{i * 7919:032x}" for i in range(people)])
    text = desk.inside().stdout
    assert [row[3] for row in rows_of(text)] == [f"{i * 7919:032x}" for i in range(people)]
    assert [int(row[0]) for row in rows_of(text)] == list(range(1, people + 1))
    assert f"Total: {people} inside." in text


def test_the_offices_list_says_who_it_is(desk, tmp_path):
    desk.lane.ctl("declare", "--subject", f"{STAFF[0][0]},bhyt:0123456789", "--status", "green")  # the card's other number
    for person in desk.hashes:
        desk.put(person)
    desk.put("0" * 31 + "1", minutes=-5)
    staff = tmp_path / "staff.csv"
    staff.write_bytes(b"\xef\xbb\xbf" + f"bhyt:0123456789; {STAFF[0][1]}\r\n# the night shift\r\n\r\n{STAFF[1][0]} ,{STAFF[1][1]}\r\n"
                      f"{STAFF[2][0]}\r\n{STAFF[1][0]},again\r\nbadge:away,Somebody Else".encode())
    text = desk.inside("--subjects", staff).stdout
    assert [row[4] for row in rows_of(text)] == [
        STAFF[2][0], f"{STAFF[1][0]}  {STAFF[1][1]}", f"bhyt:0123456789  {STAFF[0][1]}", "not on the list"]
    assert sorted(row[3] for row in rows_of(text)) == sorted([*desk.hashes, "0" * 31 + "1"])
    assert text.endswith("\nTotal: 4 inside; 3 of them on the list of 5 numbers, 1 not.\n")
    found = [json.loads(line) for line in desk.inside("--json", "--subjects", "-", input=staff.read_text()).stdout.splitlines()]
    assert [(row.get("subject"), row.get("name")) for row in found] == [
        (STAFF[2][0], None), STAFF[1], ("bhyt:0123456789", STAFF[0][1]), (None, None)]


def test_bad_lines_are_told_and_hide_nobody(desk, tmp_path):
    for person in desk.hashes:
        desk.put(person)
    staff = tmp_path / "staff.txt"
    staff.write_bytes(b"cccd:12\n" + b"badge:" + b"x" * 5000 + b"\n" + STAFF[0][0].encode() + b",\x1b[31mred\x07\n"
                      b"\xff\xfe\n" + b"bad\n" * 40)
    staff.chmod(0o640)
    done = desk.inside("--subjects", staff, check=False)
    assert done.returncode == 3
    told = done.stderr.splitlines()
    assert f"{staff}:1: 'cccd:12': allowed is " in told[0] and f"{staff}:2: 'badge:" in told[1] and "too long" in told[1]
    assert len(told) == 21 and told[-1] == f"{staff}: more bad lines follow"
    assert len(rows_of(done.stdout)) == 3 and f"{STAFF[0][0]}  ?[31mred?" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


def test_a_list_that_everybody_may_read_is_told(desk, tmp_path):
    staff = tmp_path / "staff.txt"
    staff.write_text(",".join(STAFF[0]) + "\n")
    staff.chmod(0o644)
    assert f"{staff}: everybody on this machine may read this list of people" in desk.inside("--subjects", staff).stderr
    staff.chmod(0o640)
    assert "everybody" not in desk.inside("--subjects", staff).stderr


def test_another_site_key_is_suspected(desk, tmp_path):
    desk.put(desk.hashes[0])
    staff, key = tmp_path / "staff.txt", tmp_path / "other.key"
    staff.write_text(STAFF[0][0] + "\n")
    desk.lane.ctl("key", "site", "--out", key)
    done = desk.lane.ctl("inside", "--site-key", key, "--subjects", staff)
    assert "not on the list" in done.stdout and "is this the site key" in done.stderr


@pytest.mark.parametrize("words, status, told", [
    (["--subjects", "no-such-file"], 1, "no-such-file: can't be read: No such file"),
    (["--database", "no-such.db"], 1, "no-such.db: can't be read: No such file"), (["--pages"], 2, "unknown option '--pages'"),
    (["word"], 2, "one word too many"),
])
def test_mistakes_are_told(desk, words, status, told):
    done = desk.inside(*words, check=False)
    assert (done.returncode, done.stdout) == (status, "") and told in done.stderr


def test_the_database_alone_will_do(desk, tmp_path, build):
    desk.put(desk.hashes[0])
    done = subprocess.run([build / "qrgatectl", "inside", "--database", desk.lane.journal], check=True, capture_output=True,
                          text=True, timeout=30)
    assert done.stdout.startswith(f"Who is inside, by what {desk.lane.journal} knows\n") and "Total: 1 inside." in done.stdout


def test_a_full_disk_is_no_success(desk):
    desk.put(desk.hashes[0])
    with open("/dev/full", "w") as full:
        done = subprocess.run([desk.lane.build / "qrgatectl", "--config", desk.lane.config, "inside"], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=30)
    assert done.returncode == 1 and "can't be written" in done.stderr


# ---- a lane at work --------------------------------------------------------------------------------------------------

def musters(subscriber):
    with subscriber.condition:
        return [body for topic, body in subscriber.messages if topic == "qrgate/demo/lane1/muster"]


def whole_musters(subscriber):
    """{time: persons' hashes} of the lists that have all their pages."""
    pages = {}
    for page in musters(subscriber):
        pages.setdefault(page["at"], {})[page["page"]] = page
    return {at: [person["person"] for n in sorted(found) for person in found[n]["persons"]] for at, found in pages.items()
            if any(page["last"] for page in found.values()) and len(found) == max(found)}


def test_a_fire_sends_who_is_inside(make_lane, subscriber, broker):
    lane = make_lane(extra='direction = "in";')
    for subject, _ in STAFF:
        lane.declare(subject, "green")
    lane.start()
    for subject, _ in STAFF:
        lane.add(CARD.format(subject[5:]))
    gate.wait_for(lambda: len({e["person"] for e in subscriber.events() if e["kind"] == "granted"}) == 3, 30, "three granted")
    went = {e["person"] for e in subscriber.events() if e["kind"] == "granted"}
    printed = lane.ctl("inside").stdout  # beside the daemon that works
    assert {row[3] for row in rows_of(printed)} == went and {row[2] for row in rows_of(printed)} == {"lane1"}
    assert abs(time.mktime(time.strptime(rows_of(printed)[0][1], "%Y-%m-%d %H:%M:%S")) - time.time()) < 120
    assert musters(subscriber) == []

    gate.wait_for(lambda: not lane.relay_on(), 20, "the last pulse ends")
    time.sleep(1)  # without a sensor a grant's course ends with the gap after it, and nothing tells that
    lane.panel_say("activate fire")
    gate.wait_for(lambda: whole_musters(subscriber), 20, "a muster list")
    (persons,) = whole_musters(subscriber).values()
    assert persons == sorted(went)
    (page,) = musters(subscriber)
    jsonschema.validate(page, json.loads((gate.ROOT / "config/schemas/muster.json").read_text()))
    assert (page["inside"], page["page"], page["last"]) == (3, 1, True)
    gate.wait_for(lambda: (subscriber.last("/state") or {}).get("mode") == "emergency", 20, "the state tells it")
    assert subscriber.wait(lambda e: e.get("alarm") == "emergency_release")["kind"] == "alarm_begin"
    assert subprocess.run(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-t", "qrgate/demo/lane1/muster", "-W", "1"],
                          capture_output=True).stdout == b"", "not retained: an old list must not be taken for a new one"


def test_a_fire_without_a_broker_is_told_when_it_is_back(make_lane, subscriber, broker):
    lane = make_lane(extra='direction = "in";')
    lane.start()
    subscriber.wait(lambda e: e["kind"] == "start")
    enter(lane.journal, ["f" * 32])
    broker.stop()
    gate.wait_for(lambda: "connection lost" in lane.log(), 20, "noticed")
    lane.panel_say("activate fire")
    gate.wait_for(lambda: "emergency_release begins" in lane.log(), 20, "the emergency")
    assert len(rows_of(lane.ctl("inside").stdout)) == 1, "the printer needs no broker"
    enter(lane.journal, [f"{i:032x}" for i in range(40)])  # the list is of what is so when it is sent
    broker.start()
    gate.wait_for(lambda: whole_musters(subscriber), 60, "a muster list")
    persons = list(whole_musters(subscriber).values())[-1]
    assert len(persons) == len(set(persons)) == 41
    assert {page["inside"] for page in musters(subscriber)} == {41} and max(page["page"] for page in musters(subscriber)) == 3


@pytest.mark.parametrize("moment", ["in mid-pulse", "after a pulse", "at rest"])
def test_a_fire_releases_the_arm_for_good(moment, make_lane, subscriber):
    lane = make_lane(extra="lane_timing = { pulse_ms = 1000; };" if moment == "in mid-pulse" else "")
    lane.declare(STAFF[0][0], "green")
    lane.start()
    if moment != "at rest":
        lane.add(CARD.format(STAFF[0][0][5:]))
        gate.wait_for(lambda: lane.pulses() == 1, 20, "the pulse")
    if moment == "after a pulse":
        gate.wait_for(lambda: not lane.relay_on(), 20, "its end")
    lane.panel_say("activate fire")
    subscriber.wait(lambda e: e.get("alarm") == "emergency_release")
    gate.wait_for(lane.relay_on, 5, "released")
    time.sleep(2)  # longer than any pulse, its guard's grace included
    assert lane.relay_on(), "the relay fell back while there is fire"
