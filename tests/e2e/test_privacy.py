"""What a person may ask of a lane, with the real binaries: to see, to be forgotten while the gate works, to be known after a change of
the site key; and that a journal whose end was cut off shows by what others kept."""
import json
import os
import pathlib
import pty
import re
import sqlite3
import subprocess
import sys

import jsonschema
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import gate  # noqa: E402

NUMBER = "cccd:022199012345"
CARD = "022199012345|100200300|Nguyễn Thị Bích Phượng|15081999|Nữ|Tổ 3, Khu 2, Phường Hà An|01082022"
OTHER = "022099054321||Đoàn Văn Thử|30121999|Nam|Thôn Một, Xã Hai, Quảng Ninh|01082024||||"
SCHEMAS = gate.ROOT / "config" / "schemas"


def run(lane, *words, status=0, language="en", **more):
    done = lane.ctl("--lang", language, *words, check=False, **more)
    assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
    return done


def in_files(lane, text):
    """How often, in the database, its log and its index."""
    return sum(path.read_bytes().count(text.encode()) for path in lane.folder.glob("journal.db*") if path.is_file())


def persons(lane, number=NUMBER):
    return json.loads(run(lane, "export-person", number).stdout)["hashes"]


def grants(subscriber):
    return list({e["event_id"]: e for e in subscriber.events() if e["kind"] == "granted"}.values())  # sent again is one


def granted(subscriber, count):
    gate.wait_for(lambda: len(grants(subscriber)) >= count, 20, f"{count} grants")


# ---- one person ------------------------------------------------------------------------------------------------------

def test_a_person_is_forgotten_while_the_gate_works(make_lane, subscriber, broker):
    lane = make_lane(extra='direction = "in";')
    lane.declare(f"{NUMBER},badge:0042", "green", "--symptoms", "none")
    lane.declare("cccd:022099054321", "green")
    lane.start()
    lane.add(CARD)
    granted(subscriber, 1)
    broker.stop()
    lane.add(OTHER)
    lane.add(CARD)
    gate.wait_for(lambda: len(json.loads(run(lane, "export-person", NUMBER).stdout)["events"]) == 2, 20, "the second passage")
    told = json.loads(run(lane, "export-person", "badge:0042").stdout)
    assert [e["published"] for e in told["events"]] == [True, False]
    assert {e["kind"] for e in told["events"]} == {"granted"}
    assert told["declarations"][0]["status"] == "green" and told["presence"][0]["inside"] is True
    hashes = told["hashes"]
    assert len(hashes) == 2 and all(in_files(lane, text) > 0 for text in hashes)

    assert "--yes" in run(lane, "erase-person", NUMBER, status=2, stdin=subprocess.DEVNULL).stderr
    erased = json.loads(run(lane, "erase-person", "--yes", "--json", "badge:0042").stdout)
    assert erased == {"erased": {"events": 2, "unsent_events": 1, "declarations": 1, "numbers": 1, "presence": 1,
                                 "rotating_tokens": 0}, "log_wiped": True}
    assert [in_files(lane, text) for text in hashes] == [0, 0]
    assert "nothing is stored" in run(lane, "export-person", NUMBER, status=1).stderr
    assert "nothing is stored" in run(lane, "erase-person", "--yes", NUMBER, status=1).stderr
    verified = json.loads(run(lane, "verify", "--json").stdout)
    assert verified["holds"] and verified["erased"] == 2
    assert len(persons(lane, "cccd:022099054321")) == 1  # the other stays

    lane.add(CARD)  # who comes again is a stranger, and a new row
    gate.wait_for(lambda: json.loads(run(lane, "events", "--json", "--limit", "1").stdout)["reason"] == "no_declaration", 20, "held")
    broker.start()
    late = subscriber.wait(lambda e: e["kind"] == "granted" and e.get("historical") and "person" not in e)
    assert late["seq"] > 2
    assert lane.stop() == 0


def test_a_reader_keeps_the_log_and_is_told(make_lane):
    lane = make_lane(mqtt="enabled = false;")
    lane.declare(NUMBER, "green")
    lane.declare(NUMBER, "yellow")
    person = persons(lane)[0]
    reader = sqlite3.connect(lane.journal)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM declaration").fetchall()
    said = run(lane, "erase-person", "--yes", NUMBER, status=3)
    assert "another program is reading" in said.stderr and "Erased" in said.stdout
    reader.close()
    run(lane, "erase-person", "--yes", NUMBER, status=1)  # nothing is left, and the log is cut all the same
    assert in_files(lane, person) == 0


@pytest.mark.parametrize("language, word, other, kept", [("en", "yes", "y", "not confirmed"), ("vi", "xoa", "co", "chưa xác nhận")])
def test_on_a_terminal_it_asks(make_lane, language, word, other, kept):
    lane = make_lane(mqtt="enabled = false;")
    lane.declare(NUMBER, "green")
    for answer, status in ((other, 1), (word, 0)):
        above, below = pty.openpty()
        with os.fdopen(above, "r+b", buffering=0) as terminal:
            terminal.write(answer.encode() + b"\n")
            done = run(lane, "erase-person", NUMBER, status=status, language=language, stdin=below)
            os.close(below)
        if status:
            assert kept in done.stderr
            assert persons(lane)


def test_operands_that_are_no_person(make_lane):
    lane = make_lane(mqtt="enabled = false;")
    lane.declare(NUMBER, "green")
    for command in (["export-person"], ["erase-person", "--yes"]):
        assert "cccd:+12 digits" in run(lane, *command, "cccd:12", status=2).stderr
        assert "022199" not in run(lane, *command, "022199012345", status=2).stderr  # a number isn't repeated into a log
        run(lane, *command, "0" * 32, status=1)
    by_stdin = json.loads(run(lane, "export-person", "-", input=NUMBER + "\n").stdout)
    assert by_stdin["hashes"] == persons(lane, persons(lane)[0])
    missing = lane.ctl("--database", lane.folder / "none.db", "export-person", NUMBER, check=False)
    assert missing.returncode == 1 and "--database" in missing.stderr


# ---- what is stored, and why -----------------------------------------------------------------------------------------

def test_privacy_check_tells_what_is_there(make_lane):
    lane = make_lane(mqtt="enabled = false;")
    lane.declare(NUMBER, "green")
    text = run(lane, "privacy-check").stdout
    assert "91/2025/QH15" in text and "356/2025" in text and "No warnings." in text
    vietnamese = run(lane, "privacy-check", language="vi").stdout
    assert "Không có cảnh báo." in vietnamese and "{" not in vietnamese + text
    told = json.loads(run(lane, "privacy-check", "--json").stdout)
    assert told["schema"] == "qrgate/privacy/1" and told["warnings"] == []
    stores = {store["name"]: store for store in told["stores"]}
    assert stores["declarations"]["rows"] == 1 and stores["declarations"]["oldest"].endswith("Z")
    assert stores["events"]["rows"] == 0 and "oldest" not in stores["events"]
    assert all(store[key] and store[key] != store["name"] for store in told["stores"]
               for key in ("what", "why", "how_long", "how_to_erase"))
    # every table of the database is accounted for
    with sqlite3.connect(lane.journal) as db:
        tables = {name for name, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")}
    source = (gate.ROOT / "daemon" / "ctl" / "privacy" / "check.c").read_text()
    counted = set(re.findall(r'FROM (\w+)', source)) | {"declaration"}
    # ranges of rows that are gone; transactions' ids; how many passed in each quarter of an hour; the lane's name
    impersonal = {"purged", "seen", "tally", "about"}
    assert tables <= counted | impersonal, tables - counted - impersonal


@pytest.mark.parametrize("extra, mqtt, said", [
    ("journal = { keep_days = 0; };", "", "journal.keep_days = 0 keeps for ever"),
    ("journal = { register_days = 0; };", "", "journal.register_days = 0 keeps for ever"),
    ("journal = { keep_days = 400; };", "", "journal.keep_days = 400 keeps longer than the purpose needs"),
    ("", 'host = "broker.example";', "to the broker broker.example over the network without TLS"),
])
def test_privacy_check_warns_of_the_configuration(make_lane, extra, mqtt, said):
    lane = make_lane(mqtt="")
    text = lane.config.read_text()
    if extra:
        text = re.sub(r"journal = \{ (.*?) \};", lambda found: f"journal = {{ {found[1]} {extra[len('journal = { '):-3]} }};", text)
    else:
        text = text.replace('host = "127.0.0.1";', mqtt)
    lane.config.write_text(text)
    lane.declare(NUMBER, "green")
    assert said in run(lane, "privacy-check", status=3).stdout
    assert any(said in warning for warning in json.loads(run(lane, "privacy-check", "--json", status=3).stdout)["warnings"])


def test_privacy_check_warns_of_the_database(make_lane, subscriber):
    lane = make_lane()
    lane.start()
    lane.add(OTHER)
    subscriber.wait(lambda e: e["kind"] == "held")
    lane.stop()
    with sqlite3.connect(lane.journal) as db:
        db.execute("UPDATE event SET at_us = at_us - 40 * 86400000000, sent = 0 WHERE seq = 1")
        db.execute("UPDATE event SET at_us = at_us - 40 * 86400000000, sent = 1 WHERE seq = 2")
    db.close()
    lane.journal.chmod(0o644)
    warnings = "\n".join(json.loads(run(lane, "privacy-check", "--json", status=3).stdout)["warnings"])
    assert "1 events are older than 30 days and stay, since no broker" in warnings
    assert "1 events are older than 30 days and should be gone" in warnings
    assert f"may read {lane.journal}" in warnings


# ---- the journal's end -----------------------------------------------------------------------------------------------

def test_a_tail_cut_off_shows_by_the_published_head(make_lane, subscriber, tmp_path):
    lane = make_lane()
    lane.start()
    gate.wait_for(lambda: subscriber.last("/chain_head"), 20, "the head")
    topic, head = [(t, b) for t, b in subscriber.messages if t.endswith("/chain_head")][-1]
    jsonschema.validate(head, json.loads((SCHEMAS / "chain_head.json").read_text()))
    assert topic == "qrgate/demo/lane1/chain_head" and head["seq"] >= 1
    lane.add(OTHER)
    subscriber.wait(lambda e: e["kind"] == "held")
    assert lane.stop() == 0
    recorded = tmp_path / "heads.txt"
    newest = json.loads(run(lane, "verify", "--json").stdout)
    lines = [f"{topic} {json.dumps(head)}", "qrgate/demo/lane1/availability online",
             json.dumps({**head, "seq": newest["rows"], "hash": newest["last_hash"]})]
    recorded.write_text("\n".join(lines) + "\n")
    assert "published heads: 2 of 2 are in the chain" in run(lane, "verify", "--heads", recorded).stdout
    whole = f"{newest['last_hash']}@{newest['rows']}"
    assert json.loads(run(lane, "verify", "--json", "--head", whole).stdout)["heads_held"] == 1

    with sqlite3.connect(lane.journal) as db:
        db.execute("DELETE FROM event WHERE seq > ?", (newest["rows"] - 2,))
    db.close()
    run(lane, "verify")  # unseen from within
    for words in (["--heads", recorded], ["--head", whole]):
        cut = run(lane, "verify", *words, status=1).stdout
        assert f"broken at seq {newest['rows'] - 1}: the newest rows were cut off" in cut
    other = run(lane, "verify", "--head", f"{'0' * 64}@1", status=1).stdout
    assert "broken at seq 1: another row was there" in other


@pytest.mark.parametrize("words, status, said", [
    (["--head", "abc"], 2, "--head 'abc': allowed is a hash of 64 hex digits, @ and the row's number"),
    (["--head", "0" * 64 + "@0"], 2, "allowed is a hash"), (["--head", "0" * 64 + "@-1"], 2, "allowed is a hash"),
    (["--heads", "/nonexistent"], 1, "name a file of recorded"), (["--heads", "/dev/null"], 1, "no chain_head message in 0 lines"),
])
def test_heads_that_are_none(make_lane, words, status, said):
    lane = make_lane(mqtt="enabled = false;")
    lane.declare(NUMBER, "green")
    assert said in run(lane, "verify", *words, status=status).stderr


# ---- the site key ----------------------------------------------------------------------------------------------------

def test_a_new_site_key(make_lane, subscriber):
    lane = make_lane()
    lane.declare(NUMBER, "green")
    lane.declare("cccd:022099054321", "green")
    lane.start()
    lane.add(CARD)
    granted(subscriber, 1)
    lane.stop()
    old = persons(lane)[0]
    before = (lane.folder / "site.key").read_text().strip()
    assert "New site key" in run(lane, "key", "rotate").stdout
    assert before in (lane.folder / "site.key").read_text()
    assert "a change is under way" in run(lane, "key", "rotate", status=1).stderr
    assert "has not been restarted" in run(lane, "key", "rotate", "--finish", "--early", status=1).stderr
    run(lane, "verify")

    lane.start()  # the picture is there still
    granted(subscriber, 2)
    events = grants(subscriber)
    assert events[0]["person"] == old != events[1]["person"]
    told = json.loads(run(lane, "export-person", NUMBER).stdout)
    assert {e["person"] for e in told["events"]} == {old, events[1]["person"]}  # both, in the overlap
    assert told["declarations"][0]["person"] == events[1]["person"]
    assert "the overlap lasts until" in run(lane, "key", "rotate", "--finish", status=1).stderr
    assert run(lane, "key", "rotate", "--finish", "--due").stdout == ""
    assert "is destroyed" in run(lane, "key", "rotate", "--finish", "--early").stdout
    assert before not in (lane.folder / "site.key").read_text()
    assert "no change of the key is under way" in run(lane, "key", "rotate", "--finish", status=1).stderr
    told = json.loads(run(lane, "export-person", NUMBER).stdout)
    assert {e["person"] for e in told["events"]} == {events[1]["person"]} == set(told["hashes"])  # the old rows are nobody's
    assert "nothing is stored" in run(lane, "export-person", "cccd:022099054321", status=1).stderr
    run(lane, "verify")
    assert lane.stop() == 0


def test_the_overlap_s_end_is_due(make_lane):
    lane = make_lane(mqtt="enabled = false;")
    lane.declare(NUMBER, "green")
    lane.start()
    run(lane, "key", "rotate", "--overlap", "1m")
    lane.stop()
    lane.start()
    lane.stop()
    key = lane.folder / "site.key"
    key.write_text(re.sub(r"until .*", "until 2025-01-31T00:00:00Z", key.read_text()))
    assert "the old site key was to be destroyed on 2025-01-31" in run(lane, "privacy-check", status=3).stdout
    assert "is destroyed" in run(lane, "key", "rotate", "--finish", "--due").stdout
    assert key.read_text().count("\n") == 1
    assert "--due and --early go with --finish" in run(lane, "key", "rotate", "--due", status=2).stderr
