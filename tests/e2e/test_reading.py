"""Reading of journals: events by time, lane, person, kind and reason; who is inside by the journals of several lanes; messages that a
subscriber wrote down; broken files, files that are written meanwhile, copies that can't be written; and that no query walks over all
events."""
import html
import json
import os
import pathlib
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import gate  # noqa: E402
from journals import Journal, ctl, hashed, person, us  # noqa: E402

START = us("2026-11-16T06:00:00+07:00")
MINUTE, HOUR = 60_000_000, 3_600_000_000
KEY = bytes([0x5a] * 32)


@pytest.fixture
def gates(tmp_path, build):
    made = [Journal(tmp_path / "a.db", build, "gate-a", "in"), Journal(tmp_path / "b.db", build, "gate-b", "out", sensor=False)]
    yield made
    for journal in made:
        journal.close()


def words_of(gates):
    return [word for journal in gates for word in ("--journal", journal.path)]


def rows(build, *words, **more):
    return [json.loads(line) for line in ctl(build, *words, "--json", **more).stdout.splitlines()]


# ---- events ------------------------------------------------------------------------------------------------------------

@pytest.fixture
def busy(gates):
    rng = random.Random(3)
    for journal in gates:
        with journal:
            for i in range(300):
                at = START + i * 7 * MINUTE + rng.randrange(-20, 20) * MINUTE  # some are recorded late
                who = person(rng.randrange(12))
                if rng.random() < .3:
                    reason = rng.choice(["status_red", "no_declaration", "code_unsupported"])
                    journal.event(at, rng.choice(["held", "denied"]), who, reason, "none", "cccd")
                else:
                    journal.passage(at, who)
    return gates


def all_rows(gates):
    """(at_us, lane, seq, kind, reason, person), by SQL."""
    return [(at, journal.lane, *more) for journal in gates
            for at, *more in journal.db.execute("SELECT at_us, seq, kind, reason, person FROM event")]


@pytest.mark.parametrize("filter, keep", [
    ([], lambda row: True),
    (["--since", "2026-11-16T12:00", "--until", "2026-11-16T15:37"],
     lambda row: us("2026-11-16T12:00:00+07:00") <= row[0] < us("2026-11-16T15:37:00+07:00")),
    (["--lane", "gate-b"], lambda row: row[1] == "gate-b"), (["--person", person(3)[:12]], lambda row: row[5] == person(3)),
    (["--reason", "status_red"], lambda row: row[4] == "status_red"), (["--kind", "denied"], lambda row: row[3] == "denied"),
    (["--kind", "held", "--reason", "no_declaration", "--lane", "gate-a", "--person", person(5), "--since", "2026-11-16T08:00Z"],
     lambda row: row[1:2] + row[3:] == ("gate-a", "held", "no_declaration", person(5)) and row[0] >= us("2026-11-16T08:00:00+00:00")),
    (["--since", "2031-01-01"], lambda row: False),
    (["--since", "2026-11-17", "--until", "2026-11-18"],
     lambda row: us("2026-11-17T00:00:00+07:00") <= row[0] < us("2026-11-18T00:00:00+07:00")),
])
def test_filters(filter, keep, busy, build):
    expected = [row[:3] for row in all_rows(busy) if keep(row)]
    got = [(row["at_us"], row["lane"], row["seq"]) for row in rows(build, "events", *words_of(busy), *filter, "--limit", 0)]
    assert sorted(got) == sorted(expected) and len(set(got)) == len(got)
    for lane in "gate-a", "gate-b":
        assert [seq for _, of, seq in got if of == lane] == sorted(seq for _, of, seq in got if of == lane)
    newest = [(row["at_us"], row["lane"], row["seq"]) for row in rows(build, "events", *words_of(busy), *filter, "--limit", 7)]
    assert len(newest) == min(7, len(expected))
    by_lane = {lane: [row for row in newest if row[1] == lane] for lane in ("gate-a", "gate-b")}
    for lane, mine in by_lane.items():  # of each lane the end of its list
        assert mine == [row for row in got if row[1] == lane][len([row for row in got if row[1] == lane]) - len(mine):]
    # messages say no less
    heard = busy[0].path.parent / "heard.txt"
    heard.write_text("".join(line for journal in busy for line in journal.messages()))
    again = rows(build, "events", "--messages", heard, *filter, "--limit", 0)
    assert sorted((row["at_us"] // 1000, row["lane"], row["seq"]) for row in again) == sorted((at // 1000, *more) for at, *more in expected)


def test_times_are_the_places(gates, build, tmp_path):
    gates[0].passage(START, person(1))
    words = ["events", "--journal", gates[0].path]
    assert "2026-11-16 06:00:00 +07:00  passed" in ctl(build, *words).stdout
    assert "2026-11-16 00:00:00 +01:00  passed" in ctl(build, *words, zone="Europe/Berlin").stdout
    text = ctl(build, *words, lang="vi_VN.UTF-8").stdout
    assert "đã qua" in text and "khai báo xanh" in text


@pytest.mark.parametrize("words, status, told", [
    (["--since", "yesterday"], 2, "--since 'yesterday': allowed is"), (["--since", "2026-13-01"], 2, "--since '2026-13-01': allowed is"), (["--reason", "because"], 2, "--reason 'because': allowed are"),
    (["--kind", "x"], 2, "--kind 'x': allowed are granted, held"), (["--lane", "gate-z"], 1, "--lane 'gate-z': no events of that lane"),
    (["--person", "zz"], 2, "allowed is a number"), (["--person", "ffffffff"], 1, "nobody here is known by that"),
    (["--messages", "x"], 2, "--messages and --journal don't go together")])
def test_mistakes(words, status, told, gates, build):
    gates[0].passage(START, person(1))
    done = ctl(build, "events", "--journal", gates[0].path, *words, check=False)
    assert (done.returncode, done.stdout) == (status, "") and told in done.stderr


# ---- inside, by several lanes -------------------------------------------------------------------------------------------

def test_the_newest_passage_counts(gates, build):
    a, b = gates
    a.passage(START, person(1))
    a.passage(START + MINUTE, person(2))
    b.passage(START + 2 * MINUTE, person(1))
    b.passage(START + 3 * MINUTE, person(3))
    a.passage(START + 4 * MINUTE, person(3))
    got = rows(build, "inside", *words_of(gates))
    assert [(row["person"], row["lane"], row["since_us"]) for row in got] == [
        (person(2), "gate-a", START + MINUTE), (person(3), "gate-a", START + 4 * MINUTE)]
    alone = {row["person"] for row in rows(build, "inside", "--journal", a.path)}
    assert alone == {person(1), person(2), person(3)}, "one lane alone can't know"
    # As the lanes tell each other, both tables have everybody: nobody twice.
    for who, inside, at, lane in ((person(2), 1, START + MINUTE, "gate-a"), (person(3), 1, START + 4 * MINUTE, "gate-a")):
        b.db.execute("INSERT OR REPLACE INTO presence VALUES (?, ?, ?, ?, '', 0, 'none', NULL, 0, 0)", (who, inside, at, lane))
    assert rows(build, "inside", *words_of(gates)) == got
    heard = a.path.parent / "heard.txt"
    heard.write_text("".join(line for journal in gates for line in journal.messages()))
    assert rows(build, "inside", "--messages", heard) == got


def test_groups(gates, build):
    gate_a = gates[0]
    for i, group in enumerate(["welders", "paint shop", "welders", None]):
        subject = f"badge:g{i}"
        more = ["--group", group] if group else []
        ctl(build, "--database", gate_a.path, "--site-key", gate_a.key, "declare", "--subject", subject, "--status", "green", *more)
        gate_a.passage(START + i * MINUTE, hashed(KEY, subject))
    text = ctl(build, "inside", "--journal", gate_a.path).stdout
    heads = re.findall(r"^Group (.*)$", text, re.M)
    assert heads == ["paint shop: 1", "welders: 2", "(no group): 1"] and "Total: 4 inside." in text
    assert [row.get("group") for row in rows(build, "inside", "--journal", gate_a.path)] == ["paint shop", "welders", "welders", None]
    page = ctl(build, "muster", "--journal", gate_a.path, "--format", "html").stdout
    assert page.count('class="box"') == 4 and "<h2>Group welders: 2</h2>" in page and "4 inside" in page and "http" not in page
    paper = ctl(build, "muster", "--journal", gate_a.path, lang="vi").stdout
    assert paper.startswith("ĐIỂM DANH: NHỮNG NGƯỜI ĐANG Ở TRONG\n") and paper.count("\n[ ] ") == 4 and "Người điểm danh ____" in paper
    assert ctl(build, "muster", "--journal", gate_a.path, "--format", "pdf", check=False).returncode == 2


def test_lanes_that_end_earlier_are_named(gates, build):
    a, b = gates
    a.passage(START, person(1))
    b.passage(START + 10 * MINUTE, person(2))
    assert "gate-a" not in ctl(build, "inside", *words_of(gates)).stdout.split("Total")[1]
    b.passage(START + 40 * MINUTE, person(2))
    for command in ("inside",), ("muster",), ("muster", "--format", "html"):
        told = "lane gate-a: its events end at 2026-11-16 06:00; what happened there since isn't known"
        assert told in html.unescape(ctl(build, *command, *words_of(gates)).stdout)
    empty = Journal(a.path.parent / "c.db", build, "gate-c")
    empty.close()
    assert "lane gate-c: no events under a trusted clock" in ctl(build, "inside", *words_of(gates), "--journal", empty.path).stdout


def test_one_lane_twice_is_refused(gates, build):
    copy = gates[0].path.with_name("copy.db")
    gates[0].db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(gates[0].path, copy)
    done = ctl(build, "inside", "--journal", gates[0].path, "--journal", copy, check=False)
    assert done.returncode == 2 and "are both of lane gate-a" in done.stderr


# ---- messages -----------------------------------------------------------------------------------------------------------

def test_the_forms_of_a_line(gates, build, tmp_path):
    gates[0].passage(START, person(1))
    topic_and_body = [line.rstrip("\n").split(" ", 1) for line in gates[0].messages()]
    forms = {"topic first": [f"{topic} {body}" for topic, body in topic_and_body], "tab": [f"{topic}\t{body}" for topic, body in topic_and_body],
             "object": [json.dumps({"tst": "x", "topic": topic, "qos": 1, "payload": json.loads(body)}) for topic, body in topic_and_body],
             "object with a text": [json.dumps({"topic": topic, "payload": body}) for topic, body in topic_and_body]}
    for name, lines in forms.items():
        heard = tmp_path / "heard"
        heard.write_text("\n".join(["", "qrgate/demo/gate-a/state {\"mode\":\"normal\"}", *lines, "qrgate/demo/gate-a/availability online"]))
        got = rows(build, "events", "--messages", heard)
        assert [(row["lane"], row["kind"], row["person"]) for row in got] == [
            ("gate-a", "granted", person(1)), ("gate-a", "completed", person(1))], name
    heard.write_text("\n".join(body for _, body in topic_and_body))
    assert [row["lane"] for row in rows(build, "events", "--messages", "-", input=heard.read_text())] == ["messages"] * 2


def test_gaps_repeats_and_a_new_journal(gates, build, tmp_path):
    for i in range(4):
        gates[0].passage(START + i * MINUTE, person(i))
    lines = gates[0].messages()
    fresh = Journal(tmp_path / "new.db", build, "gate-a", "in")  # the card was changed: its numbers begin at 1 again
    fresh.db.execute("UPDATE about SET value = 'gate-a'")
    with fresh:
        event = fresh.event(START + HOUR, "granted", person(9), "status_green", "green", "cccd")
        fresh.db.execute("UPDATE event SET event_id = ? WHERE event_id = ?", ["f" * 32, event])
    heard = tmp_path / "heard"
    heard.write_text("".join(lines[:2] + lines[4:] + lines[:1] + fresh.messages()))
    fresh.close()
    done = ctl(build, "events", "--messages", heard, "--json")
    got = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["event_id"] for row in got][-1] == "f" * 32 and len(got) == 7
    assert "lane gate-a: 2 events are missing" in done.stderr


def test_bad_lines_are_told_and_left_out(gates, build, tmp_path):
    gates[0].passage(START, person(1))
    good = gates[0].messages()
    body = json.loads(good[0].split(" ", 1)[1])
    bad = ["{", "nonsense", json.dumps({**body, "seq": 0}), json.dumps({**body, "kind": "sneaked"}), json.dumps({**body, "at": "noon"}),
           json.dumps({key: value for key, value in body.items() if key != "event_id"}), "qrgate/demo/gate-a/passage {\"seq\":1,\"seq\":1}",
           json.dumps({"topic": "qrgate/demo/gate-a/passage"}), "x" * 10000, json.dumps({**body, "person": "A" * 32})]
    heard = tmp_path / "heard"
    heard.write_text("\n".join(bad) + "\n" + "".join(good))
    done = ctl(build, "events", "--messages", heard, "--json", check=False)
    assert done.returncode == 3 and len(done.stdout.splitlines()) == 2
    assert [f"{heard}:{i}:" in done.stderr for i in range(1, len(bad) + 1)] == [True] * len(bad), done.stderr
    assert "seq 0: allowed are" in done.stderr and "the line is too long" in done.stderr and "'event_id' is missing" in done.stderr
    heard.write_text("\n".join(bad))
    done = ctl(build, "events", "--messages", heard, check=False)
    assert done.returncode == 1 and "not one passage or alarm message in 10 lines" in done.stderr
    assert "can't be read: No such file" in ctl(build, "events", "--messages", tmp_path / "none", check=False).stderr


# ---- files ---------------------------------------------------------------------------------------------------------------

EVERY = [("events",), ("inside",), ("muster",), ("trace", person(1)), ("report", "week", "--iso", "2026-W47")]


@pytest.mark.parametrize("command", EVERY, ids=lambda command: command[0])
def test_broken_files(command, gates, build, tmp_path):
    gates[0].passage(START, person(1))
    text, torn, empty = tmp_path / "text.db", tmp_path / "torn.db", tmp_path / "empty.db"
    text.write_bytes(b"not a database at all, " * 500)
    gates[0].db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = gates[0].path.read_bytes()
    torn.write_bytes(whole[:4096] + os.urandom(len(whole) - 4096))
    empty.write_bytes(b"")
    for path, told in ((text, "is damaged or not a SQLite database"), (torn, "damaged"), (empty, "is empty: no qrgate"),
                       (tmp_path / "none.db", "can't be read: No such file")):
        done = ctl(build, *command, "--journal", path, check=False)
        assert done.returncode == 1 and str(path) in done.stderr and told in done.stderr and done.stdout == "", (path, done.stderr)
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE x (y)")
    other.close()
    assert "of another program" in ctl(build, *command, "--journal", tmp_path / "other.db", check=False).stderr


@pytest.mark.parametrize("command", [command for command in EVERY if command[0] not in ("inside", "muster")], ids=lambda c: c[0])
def test_a_value_that_qrgate_never_wrote(command, gates, build):
    gates[0].passage(START, person(1))
    gates[0].db.execute("UPDATE event SET direction = 'up'")
    gates[0].db.execute("UPDATE tally SET direction = 'up'")
    done = ctl(build, *command, "--journal", gates[0].path, "--since", "2026-11-16T00:00Z", check=False) if command[0] == "trace" else \
        ctl(build, *command, "--journal", gates[0].path, check=False)
    assert done.returncode == 1 and "never wrote" in done.stderr


def test_a_copy_that_cannot_be_written(gates, build):
    if os.geteuid() != 0:
        pytest.skip("gives a file away")
    gates[0].passage(START, person(1))
    gates[0].db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with tempfile.TemporaryDirectory() as name:  # not tmp_path: pytest's folders, and perhaps the build's, are for one user alone
        room, shelf = pathlib.Path(name), pathlib.Path(name) / "shelf"
        room.chmod(0o755)
        shelf.mkdir()
        shutil.copy(build / "qrgatectl", room)
        shutil.copy(gates[0].path, shelf / "a.db")
        (shelf / "a.db").chmod(0o444)
        shelf.chmod(0o555)
        done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", room / "qrgatectl", "events",
                               "--journal", shelf / "a.db", "--json"], capture_output=True, text=True, timeout=60, env={"LANG": "C"})
        assert done.returncode == 0 and len(done.stdout.splitlines()) == 2, done.stderr
        assert sorted(path.name for path in shelf.iterdir()) == ["a.db"]


@pytest.mark.parametrize("command", EVERY, ids=lambda command: command[0])
def test_while_it_is_written(command, gates, build):
    """Each answer is of one moment, and the writer isn't held up: what was granted is completed in every answer."""
    journal, stop, written, failures = gates[0], threading.Event(), [], []

    def write():
        try:
            db = sqlite3.connect(journal.path, isolation_level=None, timeout=1)
            journal.db = db
            while not stop.is_set():
                at = START + len(written) * 1_000_000
                db.execute("BEGIN IMMEDIATE")
                journal.passage(at, person(len(written)))
                db.execute("COMMIT")
                written.append(at)
            db.close()
        except sqlite3.Error as error:
            failures.append(error)

    own = journal.db
    with journal:
        journal.passage(START, person(0)), journal.passage(START, person(1))
    writer = threading.Thread(target=write)
    writer.start()
    try:
        counts = []
        for _ in range(12):
            out = ctl(build, *command, "--journal", journal.path, *(["--since", "2026-11-15T00:00Z", "--json"] if command[0] in ("trace",) else
                      ["--limit", "0", "--json"] if command[0] == "events" else ["--json"] if command[0] in ("report", "inside") else [])).stdout
            if command[0] == "events":
                kinds = [json.loads(line)["kind"] for line in out.splitlines()]
                assert kinds.count("granted") == kinds.count("completed")
                counts.append(len(kinds))
            elif command[0] == "report":
                got = json.loads(out)
                assert got["events"] == 2 * got["entries"]
                counts.append(got["events"])
            else:
                counts.append(len(out.splitlines()))
    finally:
        stop.set()
        writer.join()
        journal.db = own
    assert not failures and counts == sorted(counts) and counts[-1] > counts[0]


# ---- plans ---------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """100,000 events of 2,000 people, of two lanes."""
    folder = tmp_path_factory.mktemp("site")
    subprocess.run([gate.ROOT / os.environ.get("QRG_BUILD", "build") / "fill_site", folder, "100000", "2000"], check=True)
    library = folder / "explain_plans.so"
    subprocess.run([*gate.compiler(), "-shared", "-fPIC", "-O1", "-o", library, gate.ROOT / "tests/e2e/explain_plans.c",
                    "-lsqlite3", "-ldl"], check=True)
    return folder


BIG = [("events", "--since", "2026-11-20T00:00Z"), ("events", "--reason", "no_declaration"), ("events", "--person"),
       ("inside",), ("muster",), ("trace",), ("report", "week", "--iso", "2026-W47")]


@pytest.mark.unsanitized
@pytest.mark.parametrize("command", BIG, ids=lambda command: " ".join(command[:2]))
def test_no_query_walks_over_all_events(command, site, build):
    journals = ["--journal", site / "in.db", "--journal", site / "out.db"]
    command = [*command]
    if command[-1] in ("--person", "trace"):
        with sqlite3.connect(site / "in.db") as db:
            command.append(db.execute("SELECT person FROM event WHERE seq = 5").fetchone()[0])
        db.close()
    if command[0] == "trace":
        command += ["--until", "2026-11-22T17:00Z"]
    plans = site / "plans"
    plans.unlink(missing_ok=True)
    ctl(build, *command, *journals, environment={"LD_PRELOAD": site / "explain_plans.so", "QRG_PLANS": plans})
    lines = plans.read_text().splitlines()
    queries = [line for line in lines if not line.startswith("\t")]
    steps = [line.strip() for line in lines if line.startswith("\t")]
    assert any("FROM presence" in query or "FROM event" in query for query in queries)
    assert not [step for step in steps if re.match(r"SCAN event\b(?! USING INDEX event_person)", step)], steps
    assert not [step for step in steps if re.match(r"SCAN (presence|tally|declaration|identity)\b", step)
                and not re.search(r"USING (COVERING )?INDEX", step) and "tally" not in step and "identity" not in step], steps
    assert any(re.match(r"SEARCH (event|presence|tally) USING|SCAN presence USING INDEX presence_inside", step) for step in steps), steps
    assert any("SEARCH event USING I" in step for step in steps) or command[0] in ("inside", "muster")
