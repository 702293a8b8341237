"""The weekly report, exact against a recount by plain SQL over the events themselves, in zones that change their clocks; its forms; its
way to the broker."""
import csv
import datetime
import html.parser
import io
import json
import pathlib
import random
import re
import sqlite3
import sys
import zoneinfo

import jsonschema
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "data"))
import gate  # noqa: E402
from test_catalogue import closed, paths, said  # noqa: E402
import sample_site  # noqa: E402
from journals import UTC, Journal, ctl, person, us  # noqa: E402

SCHEMA = json.loads((gate.ROOT / "config" / "schemas" / "report.json").read_text())
HANOI = "Asia/Ho_Chi_Minh"


def report(build, journals, week="2026-W47", zone=HANOI, **more):
    words = [word for journal in journals for word in ("--journal", journal.path)]
    return json.loads(ctl(build, "report", "week", "--iso", week, *words, "--json", zone=zone, **more).stdout)


# ---- the recount -------------------------------------------------------------------------------------------------------

PASSAGES = """
SELECT passage.at_us, passage.direction,
       CASE WHEN passage.kind = 'granted' THEN passage.status
            WHEN passage.kind = 'override' THEN coalesce(opened_for.status, passage.status)
            WHEN bound.kind = 'override' THEN coalesce(asked.status, bound.status)
            ELSE coalesce(bound.status, passage.status) END
FROM event AS passage LEFT JOIN event AS bound ON passage.kind = 'completed' AND bound.event_id = passage.bound_event_id
LEFT JOIN event AS asked ON bound.kind = 'override' AND asked.event_id = bound.bound_event_id
LEFT JOIN event AS opened_for ON passage.kind = 'override' AND opened_for.event_id = passage.bound_event_id
WHERE (passage.kind = 'completed' OR (passage.kind IN ('granted', 'override') AND passage.ending = 0))
"""


def recount(journals, week, zone):
    """The same figures by the events, days by Python's calendar."""
    zone = zoneinfo.ZoneInfo(zone)
    year, number = int(week[:4]), int(week[6:])
    monday = datetime.date.fromisocalendar(year, number, 1)
    names = {"in": "entries", "out": "exits", "none": "undirected"}
    found = {"days": [{"date": str(monday + datetime.timedelta(day)), **{name: [0] * 24 for name in names.values()}} for day in range(7)],
             "denied_by_reason": {}, "held_by_reason": {}, "alarms_by_name": {}, "events": 0, "clock_untrusted": 0, "undeclared": 0,
             "overrides": 0, "held": 0, "denied": 0, "alarms": 0, "not_used": 0, **{f"{name}_by_status": {} for name in names.values()},
             **{name: 0 for name in names.values()}}
    quarters, last = {}, dict.fromkeys(("entries", "exits", "undirected", "held", "denied", "overrides", "undeclared", "alarms", "not_used"), 0)

    def local(at_us):
        return (datetime.datetime.fromtimestamp(0, UTC) + datetime.timedelta(microseconds=at_us)).astimezone(zone)

    def iso(at_us):
        return local(at_us).isocalendar()[:2]

    before = (monday - datetime.timedelta(7)).isocalendar()[:2]
    for journal in journals:
        for at_us, direction, status in journal.db.execute(PASSAGES):
            if iso(at_us) == before:
                last[names[direction]] += 1
            if iso(at_us) != (year, number):
                continue
            at = local(at_us)
            name = names[direction]
            found[name] += 1
            found["days"][(at.date() - monday).days][name][at.hour] += 1
            statuses = found[f"{name}_by_status"]
            statuses[status] = statuses.get(status, 0) + 1
            quarters[at_us // 900_000_000] = quarters.get(at_us // 900_000_000, 0) + 1
        for at_us, kind, reason, alarm, trusted in journal.db.execute("SELECT at_us, kind, reason, alarm, clock_trusted FROM event"):
            def add(totals, more=True):
                totals["undeclared"] += kind in ("held", "denied", "granted") and reason == "no_declaration"
                totals["overrides"] += kind == "override"
                totals["not_used"] += kind in ("not_used", "interrupted")
                totals["alarms"] += kind == "alarm_begin"
                totals["held"] += kind == "held"
                totals["denied"] += kind == "denied"
            if iso(at_us) == before:
                add(last)
            if iso(at_us) != (year, number):
                continue
            add(found)
            found["events"] += 1
            found["clock_untrusted"] += not trusted
            if kind in ("held", "denied"):
                reasons = found[f"{kind}_by_reason"]
                reasons[reason] = reasons.get(reason, 0) + 1
            if kind == "alarm_begin":
                found["alarms_by_name"][alarm] = found["alarms_by_name"].get(alarm, 0) + 1
    if quarters:
        most = max(quarters.values())
        first = min(quarter for quarter, count in quarters.items() if count == most)
        at = datetime.datetime.fromtimestamp(first * 900, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        found["busiest"] = {"passages": most, "at": at}
    return found, last


def random_week(rng, journal, begin_us, days, count):
    """Everything that a lane records, also late and under a bad clock."""
    moments = sorted(begin_us + rng.randrange(days * 86400) * 1_000_000 for _ in range(count))
    rng.random() < .5 and moments.insert(rng.randrange(len(moments)), moments[0])
    with journal:
        for at in moments:
            who, luck = person(rng.randrange(30)), rng.random()
            if luck < .55:
                journal.passage(at, who, rng.choice(["green", "green", "yellow"]), end=rng.choice(["completed"] * 8 + ["not_used", "interrupted"]))
            elif luck < .7:
                reason, status = rng.choice([("no_declaration", "none"), ("status_expired", "expired"), ("status_yellow", "yellow")])
                asked = journal.event(at, "held", who, reason, status, "cccd")
                if rng.random() < .6:
                    journal.override(at + 9_000_000, who, asked, rng.choice(["guard A", "guard B", ""]))
            elif luck < .8:
                journal.event(at, "denied", rng.choice([who, ""]), rng.choice(["status_red", "code_unsupported", "no_declaration"]),
                              rng.choice(["red", "none"]), "cccd", trusted=int(rng.random() < .8))
            elif luck < .88:
                asked = journal.event(at, "denied", who, "status_red", "red", "cccd")
                journal.override(at + 5_000_000, who, asked, "fire drill", operator="control.room", verb="open")
            elif luck < .94:
                name = rng.choice(["forced", "tamper", "camera_lost"])
                journal.event(at, "alarm_begin", alarm=name, detail="x")
                journal.event(at + 60_000_000, "alarm_end", alarm=name)
            else:
                journal.override(at, "", "")


@pytest.mark.parametrize("seed, zone, week", [
    (1, HANOI, "2026-W47"), (2, HANOI, "2026-W01"), (3, "UTC", "2020-W53"),
    (4, "Europe/Berlin", "2026-W13"),     # the clock goes forward on Sunday
    (5, "Europe/Berlin", "2026-W43"),     # and back: an hour comes twice
    (6, "America/New_York", "2026-W44"),
    (7, "Australia/Lord_Howe", "2026-W40"),  # by half an hour
    (8, "Asia/Kathmandu", "2026-W30"),    # 5:45
    (9, "Africa/Cairo", "2026-W17"),      # a Friday without midnight
    (10, "America/Santiago", "2026-W36"),  # a Sunday without midnight
    (11, "Asia/Beirut", "2026-W13"), (12, "Pacific/Apia", "2011-W52"),  # a week without a Friday
])
def test_exact_against_a_recount(seed, zone, week, tmp_path, build):
    rng = random.Random(seed)
    monday = datetime.date.fromisocalendar(int(week[:4]), int(week[6:]), 1)
    begin = int(datetime.datetime.combine(monday, datetime.time(), UTC).timestamp() - 8 * 86400) * 1_000_000
    journals = [Journal(tmp_path / "a.db", build, "gate-a", "in"), Journal(tmp_path / "b.db", build, "gate-b", "out", sensor=False),
                Journal(tmp_path / "c.db", build, "gate-c", sensor=seed % 2 == 0)]
    for journal in journals:
        random_week(rng, journal, begin, 17, 500)
    got = report(build, journals, week, zone)
    jsonschema.validate(got, SCHEMA)
    expected, last = recount(journals, week, zone)
    assert {key: got[key] for key in expected} == expected
    assert got["last_week"] == last
    assert sum(lane["entries"] for lane in got["lanes"]) == got["entries"] > 0
    assert sum(got["entries_by_status"].values()) == got["entries"] and got["complete"] is True
    # The same from messages.
    heard = tmp_path / "heard.txt"
    heard.write_text("".join(line for journal in journals for line in journal.messages()))
    again = json.loads(ctl(build, "report", "week", "--iso", week, "--messages", heard, "--json", zone=zone).stdout)
    assert {key: again[key] for key in expected} == expected
    for journal in journals:
        journal.close()


def test_an_older_journal_counts_the_same_after_its_migration(tmp_path, build):
    journal = Journal(tmp_path / "a.db", build, "gate-a", "in")
    random_week(random.Random(99), journal, us("2026-11-09T00:00:00+07:00"), 14, 400)
    before = report(build, [journal])
    journal.db.executescript("DROP TRIGGER tally_event; DROP TRIGGER tally_ending; DROP TABLE tally; DROP TABLE about; "
                             "PRAGMA user_version = 5; PRAGMA wal_checkpoint(TRUNCATE);")
    done = ctl(build, "report", "week", "--iso", "2026-W47", "--journal", journal.path, check=False)
    assert done.returncode == 1 and "older qrgate" in done.stderr and "qrgatectl verify --database" in done.stderr
    ctl(build, "verify", "--database", journal.path, check=False)
    after = report(build, [journal])
    assert after["lanes"][0].pop("lane") == "a" and before["lanes"][0].pop("lane") == "gate-a"
    assert after == before
    journal.close()


# ---- its forms ---------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def sample(tmp_path_factory, request):
    import os
    build = gate.ROOT / os.environ.get("QRG_BUILD", "build")
    folder = tmp_path_factory.mktemp("sample")
    sample_site.make(folder, build)
    return folder


def sample_report(build, sample, *more, **options):
    return ctl(build, "--config", sample / "site.conf", "report", "week", "--iso", "2026-W47", "--journal", sample / "in.db", "--journal",
               sample / "out.db", *more, **options).stdout


class Page(html.parser.HTMLParser):
    VOID = {"meta", "br", "rect", "path"}

    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.tags = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("href", "src")]
        tag in self.VOID or self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert tag in self.VOID or self.open.pop() == tag


def test_the_pages_kept_as_samples_are_what_the_program_prints(build, tmp_path):
    sample_site.make(tmp_path, build)
    for name, text in sample_site.pages(tmp_path, build).items():
        assert text == (gate.ROOT / "tests" / "data" / name).read_text(), f"{name}: tests/data/sample_site.py --pages makes it anew"


def test_page_is_whole_and_needs_nothing(build, sample):
    text = sample_report(build, sample, "--format", "html")
    page = Page(text)
    assert page.links == [] and "script" not in page.tags and page.tags.count("svg") == 2
    assert "<html lang=\"vi\">" in text and "Nhà máy Thử Nghiệm Hà An" in text and "Tuần 47 năm 2026: từ 16/11/2026 đến 22/11/2026" in text
    assert "url(" not in text and "@import" not in text


def test_the_sites_language_and_another(build, sample):
    assert sample_report(build, sample).startswith("# Báo cáo tuần: người vào, người ra\n\nNhà máy Thử Nghiệm Hà An — nhà máy\n")
    assert sample_report(build, sample, "--lang", "en").startswith("# Weekly report: entries and exits\n\nNhà máy Thử Nghiệm Hà An — factory\n")


def test_forms_agree(build, sample):
    whole = json.loads(sample_report(build, sample, "--json"))
    jsonschema.validate(whole, SCHEMA)
    rows = list(csv.DictReader(io.StringIO(sample_report(build, sample, "--format", "csv"))))
    value = {(row["table"], row["day"], row["hour"], row["name"]): row["value"] for row in rows}
    assert value["this_week", "", "", "entries"] == str(whole["entries"]) and value["last_week", "", "", "exits"] == str(whole["last_week"]["exits"])
    for day in whole["days"]:
        for name in "entries", "exits":
            for hour, count in enumerate(day[name]):
                assert int(value.get(("passages", day["date"], f"{hour:02d}", name), 0)) == count
    assert {row["name"]: int(row["value"]) for row in rows if row["table"] == "denied_by_reason"} == whole["denied_by_reason"]
    overrides = [row["name"] for row in rows if row["table"] == "override"]
    assert len(overrides) == whole["overrides"] and any("guard B" in text for text in overrides)
    assert any("control.room" in text and "bác sĩ" in text for text in overrides)
    markdown = sample_report(build, sample, "--lang", "en")
    assert f"| Entries | {whole['entries']} | {whole['last_week']['entries']} |" in markdown
    table = markdown.split("## Opened by staff: who and why")[1].split("##")[0]
    assert table.count("\n| ") == 1 + whole["overrides"]
    assert "| guard's button, guard B | " in table and "| operator control.room | bác sĩ đã khám tại cổng |" in table
    page = sample_report(build, sample, "--format", "html", "--lang", "en")
    assert page.count("guard&#39;s button, guard ") + page.count("operator control.room") == whole["overrides"]


def test_no_person_and_no_operator_in_the_message(build, sample):
    text = sample_report(build, sample, "--json")
    assert not re.search(r"[0-9a-f]{8}", text) and "control.room" not in text and "bác sĩ" not in text


def test_a_folder_gets_all_four(build, sample, tmp_path):
    assert sample_report(build, sample, "--folder", tmp_path) == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"thu-nghiem-2026-W47.{end}" for end in ("csv", "html", "json", "md")]
    assert (tmp_path / "thu-nghiem-2026-W47.md").read_text() == sample_report(build, sample)
    done = ctl(build, "--config", sample / "site.conf", "report", "week", "--iso", "2026-W47", "--journal", sample / "in.db", "--folder",
               tmp_path / "none", check=False)
    assert done.returncode == 1 and "can't be written: No such file" in done.stderr


# ---- weeks -------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("week, told", [
    ("2026-W54", "allowed is a week such as 2026-W47"), ("2027-W53", "allowed is a week"), ("2026-47", "allowed is a week"),
    ("26-W47", "allowed is a week"), ("2026-W00", "allowed is a week"), ("2190-W01", "still to come")])
def test_weeks_that_are_none(week, told, build, sample):
    done = ctl(build, "report", "week", "--iso", week, "--journal", sample / "in.db", check=False)
    assert done.returncode == 2 and told in done.stderr and done.stdout == ""


def test_a_week_that_has_not_ended_is_said(tmp_path, build):
    journal = Journal(tmp_path / "a.db", build, "gate-a", "in")
    now = datetime.datetime.now(zoneinfo.ZoneInfo(HANOI)) - datetime.timedelta(seconds=20)
    year, number, _ = now.isocalendar()
    at = int(now.timestamp()) * 1_000_000
    journal.passage(at, person(1))
    journal.passage(at - 7 * 86400_000_000, person(2))                    # at the same time of the week before
    week_end = datetime.datetime.combine(datetime.date.fromisocalendar(year, number, 1), datetime.time(), zoneinfo.ZoneInfo(HANOI))
    journal.passage(int(week_end.timestamp()) * 1_000_000 - 1_000_000, person(3))  # late on the Sunday before
    week = f"{year}-W{number:02d}"
    got = report(build, [journal], week)
    assert got["complete"] is False and got["entries"] == 1 and got["until"] < got["from"].replace(got["from"][:4], "9999")
    late_sunday_counts = now.isoweekday() == 7 and now.hour == 23 and now.minute >= 44
    assert got["last_week"]["entries"] == 1 + late_sunday_counts
    text = ctl(build, "report", "week", "--iso", week, "--journal", journal.path).stdout
    assert "> This week hasn't ended: these are the figures until" in text
    # Without --iso: the last one that has ended.
    whole = json.loads(ctl(build, "report", "week", "--journal", journal.path, "--json").stdout)
    before = now - datetime.timedelta(7)
    assert whole["week"] == "%d-W%02d" % before.isocalendar()[:2] and whole["complete"] is True and whole["entries"] == 2
    journal.close()


def test_no_events(tmp_path, build):
    journal = Journal(tmp_path / "a.db", build, "gate-a", "in")
    got = report(build, [journal])
    assert got["events"] == got["entries"] == 0 and "busiest" not in got
    text = ctl(build, "report", "week", "--iso", "2026-W47", "--journal", journal.path).stdout
    assert "> No events at all are in the journals for this week." in text
    Page(ctl(build, "report", "week", "--iso", "2026-W47", "--journal", journal.path, "--format", "html").stdout)
    journal.passage(us("2026-11-19T10:00:00+07:00"), person(1))
    assert "> The journals begin at 2026-11-19 09:45, after this week began." in ctl(
        build, "report", "week", "--iso", "2026-W47", "--journal", journal.path).stdout
    journal.close()


def test_clock_changes_are_said(tmp_path, build):
    journal = Journal(tmp_path / "a.db", build, "gate-a", "in")
    words = ["report", "week", "--journal", journal.path, "--iso"]
    assert "> Sun 2026-03-29 had 23 hours" in ctl(build, *words, "2026-W13", zone="Europe/Berlin").stdout
    assert "> Sun 2026-10-25 had 25 hours" in ctl(build, *words, "2026-W43", zone="Europe/Berlin").stdout
    assert "> Sun 2026-10-04 had 23.5 hours" in ctl(build, *words, "2026-W40", zone="Australia/Lord_Howe").stdout
    assert "hours: the clocks" not in ctl(build, *words, "2026-W43").stdout
    journal.close()


def test_the_configurations_zone_counts(tmp_path, build, sample):
    config = tmp_path / "berlin.conf"
    config.write_text((sample / "site.conf").read_text().replace(HANOI, "Europe/Berlin"))
    words = ["report", "week", "--iso", "2026-W43", "--journal", sample / "in.db", "--json"]
    got = json.loads(ctl(build, "--config", config, *words).stdout)
    assert (got["from"], got["until"], got["utc_offset"]) == ("2026-10-18T22:00:00.000Z", "2026-10-25T23:00:00.000Z", "+02:00")
    config.write_text((sample / "site.conf").read_text().replace(HANOI, "Asia/Atlantis"))
    done = ctl(build, "--config", config, *words, check=False)
    assert done.returncode == 1 and "place.zone 'Asia/Atlantis': no such time zone here" in done.stderr


def test_what_was_purged_stays_counted_and_is_said(tmp_path, build):
    journal = Journal(tmp_path / "a.db", build, "gate-a", "in")
    random_week(random.Random(5), journal, us("2026-11-16T00:00:00+07:00"), 7, 300)
    before = report(build, [journal])
    gone = journal.db.execute("SELECT count(*) FROM event WHERE kind = 'override' AND seq <= 200").fetchone()[0]
    journal.db.execute("DELETE FROM event WHERE seq <= 200")
    after = report(build, [journal])
    assert gone > 0 and {**after, "alarms_by_name": 0, "overrides_of_undeclared": 0} == {**before, "alarms_by_name": 0, "overrides_of_undeclared": 0}
    assert f"> Of this week {gone} openings by staff and" in ctl(build, "report", "week", "--iso", "2026-W47", "--journal", journal.path).stdout
    journal.close()


# ---- by the broker, by the timer ---------------------------------------------------------------------------------------

def publishing(tmp_path, sample, port):
    config = tmp_path / "site.conf"
    config.write_text((sample / "site.conf").read_text() + f'mqtt = {{ host = "127.0.0.1"; port = {port}; }};\n')
    return ["--config", config, "report", "week", "--iso", "2026-W47", "--journal", sample / "in.db", "--journal", sample / "out.db",
            "--json", "--publish"]


def test_published(tmp_path, build, sample, broker, subscriber):
    printed = json.loads(ctl(build, *publishing(tmp_path, sample, broker.port)).stdout)
    got = gate.wait_for(lambda: subscriber.last("qrgate/thu-nghiem/cong-vao/report"), 20, "the report")
    assert got == printed
    jsonschema.Draft202012Validator(closed(SCHEMA)).validate(got)
    assert set(said(got)) == set(paths(SCHEMA)), "the writer and the catalogue have the same fields"


def test_a_broker_that_is_away_is_a_failure(tmp_path, build, sample):
    done = ctl(build, *publishing(tmp_path, sample, gate.free_port()), check=False)
    assert done.returncode != 0 and "127.0.0.1" in done.stderr and json.loads(done.stdout)["week"] == "2026-W47"


def test_publishing_needs_a_configuration(build, sample):
    done = ctl(build, "report", "week", "--iso", "2026-W47", "--journal", sample / "in.db", "--publish", check=False)
    assert done.returncode == 2 and "--publish needs a configuration" in done.stderr
