"""Whom somebody met: `qrgatectl trace` against a slow search by pairs, over one journal, several, and a file of messages."""
import csv
import io
import json
import random

import pytest

from journals import Journal, ctl, hashed, person, us

START = us("2026-11-16T06:00:00+07:00")
MINUTE, HOUR = 60_000_000, 3_600_000_000
P = person(0)


@pytest.fixture
def gates(tmp_path, build):
    made = [Journal(tmp_path / "a.db", build, "gate-a", "in"), Journal(tmp_path / "b.db", build, "gate-b", "out", sensor=False),
            Journal(tmp_path / "c.db", build, "gate-c", "in", sensor=False), Journal(tmp_path / "d.db", build, "gate-d")]
    yield made
    for journal in made:
        journal.close()


def words_of(gates):
    return [word for journal in gates for word in ("--journal", journal.path)]


def trace(build, gates, *more, who=P, since=START, until=START + 48 * HOUR):
    out = ctl(build, "trace", who, *words_of(gates), "--since", since // 1_000_000, "--until", until // 1_000_000, "--json", *more).stdout
    rows = [json.loads(line) for line in out.splitlines()]
    return rows[0], rows[1:]


# ---- the oracle: meetings of every pair, then degrees ------------------------------------------------------------------

def meetings(passages, stays, since, until, window):
    """{(a, b): [(kind, begin, end)]}; a gate's begins and ends with the later passage."""
    found = {}
    for i, (at, who, lane) in enumerate(passages):
        for at2, who2, lane2 in passages[i + 1:]:
            moment = max(at, at2)
            if who != who2 and lane == lane2 and abs(at - at2) <= window and moment >= since:
                found.setdefault(frozenset((who, who2)), []).append(("gate", moment, moment))
    for i, (who, begin, end) in enumerate(stays):
        for who2, begin2, end2 in stays[i + 1:]:
            first, last = max(begin, begin2, since), min(end, end2, until)
            if who != who2 and first <= last:
                found.setdefault(frozenset((who, who2)), []).append(("inside", first, last))
    return found


def stays_of(events, until, stay):
    """events: (at, who, direction). Who comes in again without going out is still in; nobody is for longer than `stay`."""
    found, inside = [], {}
    for at, who, direction in sorted(events):
        if who in inside and at - inside[who][1] > stay:
            found.append((who, inside[who][0], inside[who][1] + stay))
            del inside[who]
        if direction == "in":
            inside[who] = (inside.get(who, (at,))[0], at)
        elif direction == "out" and who in inside:
            found.append((who, inside.pop(who)[0], at))
    return found + [(who, begin, min(seen + stay, until)) for who, (begin, seen) in inside.items()]


def expected(events, since, until, window, stay):
    passages = [(at, who, lane) for at, who, lane, _ in events]
    stays = stays_of([(at, who, direction) for at, who, _, direction in events], until, stay)
    met = meetings(passages, stays, since, until, window)
    first = {}
    for pair, times in met.items():
        if P in pair:
            other = next(iter(pair - {P}))
            first[other] = min(begin for _, begin, _ in times)
    second = set()
    for pair, times in met.items():
        for x in pair & first.keys():
            y = next(iter(pair - {x}))
            if y != P and y not in first and any(end >= first[x] for _, _, end in times):
                second.add(y)
    details = {}
    for x in first:
        times = met[frozenset((P, x))]
        details[x] = (sum(kind == "gate" for kind, _, _ in times), sum(end - begin for kind, begin, end in times if kind == "inside"),
                      first[x])
    return details, second


def random_day(rng, gates, people, count):
    lanes, events, used = {journal.lane: journal for journal in gates}, [], set()
    while len(events) < count:
        at = START - 20 * HOUR + rng.randrange(60 * 3600) * 1_000_000
        if at in used:
            continue
        used.add(at)
        lane = rng.choice(list(lanes.values()))
        events.append((at, person(rng.randrange(people)), lane.lane, lane.direction))
    for journal in gates:
        with journal:
            mine = [event for event in sorted(events) if event[2] == journal.lane]
            rng.random() < 0.3 and rng.shuffle(mine)  # presses that were recorded late
            for at, who, _, _ in mine:
                journal.passage(at, who)
    return events


@pytest.mark.parametrize("seed", range(40))
def test_against_a_search_by_pairs(seed, gates, build, tmp_path):
    rng = random.Random(seed)
    events = random_day(rng, gates, people=rng.choice([6, 40, 150]), count=rng.choice([25, 60, 120, 200]))
    if not any(who == P for _, who, _, _ in events):
        gates[0].passage(START + HOUR + 1_000_000, P)
        events.append((START + HOUR + 1_000_000, P, "gate-a", "in"))
    window, stay, until = rng.choice([1, 15, 60]) * MINUTE, rng.choice([2, 10, 24]) * HOUR, START + rng.choice([20, 48]) * HOUR
    events = [event for event in events if START - stay <= event[0] < until]
    first, second = expected(events, START, until, window, stay)
    more = ("--window", f"{window // MINUTE}m", "--stay", f"{stay // HOUR}h")
    head, rows = trace(build, gates, *more, until=until)
    got = {row["person"]: (row["gate_meetings"], row["together_s"], us(row["first"].replace("Z", "+00:00"))) for row in rows
           if row["degree"] == 1}
    assert got == {who: (gate, together // 1_000_000, at) for who, (gate, together, at) in first.items()}
    assert {row["person"] for row in rows if row["degree"] == 2} == second
    assert (head["first_degree"], head["second_degree"]) == (len(first), len(second))
    by = {row["person"]: row for row in rows}
    for row in rows:
        if row["degree"] == 2:
            assert by[row["via"]]["degree"] == 1 and by[row["via"]]["first"] <= row["first"]
    alone = [row for row in trace(build, gates, *more, "--degree", "1", until=until)[1]]
    assert {row["person"] for row in alone} == set(first)
    # The same from what a subscriber wrote down, in any order and twice.
    lines = [line for journal in gates for line in journal.messages()]
    rng.shuffle(lines)
    heard = tmp_path / "heard.txt"
    heard.write_text("".join(lines + lines[:30]))
    out = ctl(build, "trace", P, "--messages", heard, "--since", START // 1_000_000, "--until", until // 1_000_000, "--json", *more).stdout
    others = [json.loads(line) for line in out.splitlines()][1:]
    assert {(row["person"], row["degree"], row["first"]) for row in others} == {(row["person"], row["degree"], row["first"]) for row in rows}


def test_who_is_met_at_a_gate_carries_it_to_those_inside(gates, build):
    """X and Y are inside; X passes an inner gate, P just after, not being inside: X is of the first degree, and with them, at that
    moment, Y of the second; Z left before."""
    a, b, _, inner = gates
    x, y, z = person(1), person(2), person(3)
    for minute, who in enumerate((x, y, z)):
        a.passage(START + minute * MINUTE, who)
    b.passage(START + HOUR, z)
    inner.passage(START + 2 * HOUR, x)
    inner.passage(START + 2 * HOUR + MINUTE, P)
    b.passage(START + 3 * HOUR, y)
    rows = trace(build, gates)[1]
    assert [(row["person"], row["degree"], row.get("via"), row["first"]) for row in rows] == [
        (x, 1, None, "2026-11-16T01:01:00.000000Z"), (y, 2, x, "2026-11-16T01:01:00.000000Z")]


def test_one_number_is_enough_and_all_numbers_count(gates, build, tmp_path):
    gate, key = gates[0], bytes([0x5a] * 32)
    mine, other = "cccd:022199012345", "bhyt:2201234567"
    ctl(build, "--database", gate.path, "--site-key", gate.key, "declare", "--subject", f"{mine},{other}", "--status", "green",
        "--group", "welders")
    gate.passage(START + MINUTE, hashed(key, mine))
    gate.passage(START + 10 * MINUTE, person(5))
    gate.passage(START + 5 * HOUR, hashed(key, other))  # before the numbers were known to be one person's
    gate.passage(START + 5 * HOUR + MINUTE, person(6))
    for who in (mine, other, hashed(key, mine), hashed(key, mine)[:9]):
        out = ctl(build, "--site-key", gate.key, "trace", who, "--journal", gate.path, "--since", START // 1_000_000, "--until",
                  (START + 9 * HOUR) // 1_000_000, "--json").stdout
        head, *rows = [json.loads(line) for line in out.splitlines()]
        assert head["passages"] == 2 and head["person"] == hashed(key, mine)
        assert {row["person"] for row in rows} == {person(5), person(6)}
    back = trace(build, [gate], who=person(6))[1]
    assert [(row["person"], row["group"]) for row in back if row["degree"] == 1 and row["at_gate"]] == [(hashed(key, mine), "welders")]


@pytest.mark.parametrize("who, status, told", [
    ("cccd:022199099999", 1, "nobody here is known by that"), ("ffff0000", 1, "nobody here is known by that"),
    ("cccd:12", 2, "allowed is a number"), ("XYZ", 2, "allowed is a number"), ("abc", 2, "allowed is a number")])
def test_unknown_persons(who, status, told, gates, build):
    gates[0].passage(START, P)
    done = ctl(build, "--site-key", gates[0].key, "trace", who, "--journal", gates[0].path, check=False)
    assert done.returncode == status and told in done.stderr and done.stdout == ""


def test_a_prefix_of_two_persons_is_refused(gates, build):
    twins = ["abcd" + "0" * 28, "abcd" + "1" * 28]
    for who in twins:
        gates[0].passage(START, who)
    done = ctl(build, "trace", "abcd", "--journal", gates[0].path, check=False)
    assert done.returncode == 2 and "2 persons begin so" in done.stderr
    assert ctl(build, "trace", "abcd1", "--journal", gates[0].path).stdout.startswith(f"Whom {twins[1]} met")


@pytest.mark.parametrize("words, told", [
    (["--window", "0m"], "--window '0m': allowed is"), (["--window", "25h"], "from 1m to 24h"), (["--stay", "x"], "--stay 'x'"),
    (["--degree", "3"], "--degree '3': allowed are 1, 2"), (["--format", "pdf"], "--format 'pdf': allowed are text, csv, json, html"),
    (["--since", "2026-11-20T00:00Z", "--until", "2026-11-19T00:00Z"], "no time between"), (["--since", "soon"], "--since 'soon'"),
])
def test_mistakes(words, told, gates, build):
    gates[0].passage(START, P)
    done = ctl(build, "trace", P, "--journal", gates[0].path, *words, check=False)
    assert done.returncode == 2 and told in done.stderr


def test_nothing_in_the_time_asked_for(gates, build):
    gates[0].passage(START, P)
    head, rows = trace(build, gates, since=START + 40 * HOUR, until=START + 41 * HOUR)
    assert head["passages"] == 0 and rows == []
    text = ctl(build, "trace", P, *words_of(gates), "--since", "2026-12-01T00:00Z", "--until", "2026-12-02T00:00Z").stdout
    assert "0 passages; 0 met (first degree), 0 by way of them" in text


def test_csv_and_page(gates, build, tmp_path):
    a, b, *_ = gates
    a.passage(START, P)
    a.passage(START + 5 * MINUTE, person(1))
    a.passage(START + 3 * HOUR, person(2))
    b.passage(START + 4 * HOUR, person(2))
    b.passage(START + 4 * HOUR + MINUTE, person(3))
    b.passage(START + 6 * HOUR, P)
    words = ["trace", P, *words_of(gates), "--since", START // 1_000_000, "--until", (START + 7 * HOUR) // 1_000_000]
    rows = list(csv.DictReader(io.StringIO(ctl(build, *words, "--format", "csv").stdout)))
    assert [(row["degree"], row["person"], row["how"], row["gate_meetings"], row["minutes_together"]) for row in rows] == [
        ("1", person(1), "gate_and_inside", "1", "355"), ("1", person(2), "inside", "0", "60"), ("2", person(3), "gate", "", "")]
    assert rows[0]["first"] == "2026-11-16T06:05:00+07:00" and rows[2]["via"] == person(2) and rows[2]["lane"] == "gate-b"
    page = ctl(build, *words, "--format", "html", lang="vi_VN.UTF-8").stdout
    assert page.startswith("<!doctype html>\n<html lang=\"vi\">") and page.rstrip().endswith("</html>")
    assert "http" not in page and "<script" not in page and "Truy vết" in page and "16/11/2026 06:05" in page
    assert page.count("<tr>") == 1 + 2 + 1 + 2 + 1 + 1  # passages, first degree, second degree, each with its head


def test_names_cannot_break_a_page_or_a_spreadsheet(gates, build, tmp_path):
    gate = gates[0]
    subject = "badge:0042"
    gate.passage(START, P)
    gate.passage(START + MINUTE, hashed(bytes([0x5a] * 32), subject))
    staff = tmp_path / "staff.csv"
    staff.write_text(f'{subject},=HYPERLINK("x")<script>&\n')
    words = ["--site-key", gate.key, "trace", P, "--journal", gate.path, "--since", START // 1_000_000, "--until",
             (START + HOUR) // 1_000_000, "--subjects", staff]
    page = ctl(build, *words, "--format", "html").stdout
    assert "&lt;script&gt;&amp;" in page and "<script" not in page
    assert list(csv.DictReader(io.StringIO(ctl(build, *words, "--format", "csv").stdout)))[0]["name"].startswith("'=HYPERLINK")
