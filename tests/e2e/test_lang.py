"""qrgatectl in each language: JSON and the forms of files are the same in all of them, and what people read isn't."""
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import gate  # noqa: E402
from journals import Journal, person, us  # noqa: E402
from lang import read_table  # noqa: E402
from test_manual import commands, help_options  # noqa: E402

LANGUAGES = sorted(path.stem for path in (gate.ROOT / "config" / "lang").glob("*.lang") if path.stem != "en")
MONDAY = us("2026-11-16T08:00:00+07:00")
MINUTE, HOUR = 60_000_000, 3_600_000_000
TABLES = {name: read_table(gate.ROOT / "config" / "lang" / f"{name}.lang") for name in [*LANGUAGES, "en"]}


class Desk:
    """A journal, keys and pictures, and the tool in the language asked for."""

    def __init__(self, folder, build):
        self.folder, self.build = folder, build.resolve()
        self.journal = Journal(folder / "in.db", build, "gate-a", "in")
        for i in range(4):
            self.journal.passage(MONDAY + i * MINUTE, person(i))
        self.journal.event(MONDAY + HOUR, "denied", person(9), "status_red", "red", "cccd")
        self.journal.event(MONDAY + HOUR, "alarm_begin", alarm="forced")
        (folder / "trust").mkdir()
        self.run("key", "new", "--kid", "old", "--issuer", "Ward 3", "--out", folder / "old.key", "--public", folder / "trust" / "old.pub")
        public = (folder / "trust" / "old.pub").read_text()
        (folder / "trust" / "later.pub").write_text(public.replace("kid: old", "kid: later").replace("from: 20", "from: 21").replace(
            "until: 20", "until: 21"))
        (folder / "trust" / "gone.pub").write_text(re.sub("^issuer: .*\n", "", public, flags=re.M).replace("kid: old", "kid: gone").replace(
            "from: 20", "from: 200").replace("until: 202", "until: 200").replace("from: 2002", "from: 200"))
        (folder / "gray.pgm").write_bytes(b"P5 320 240 255\n" + bytes([128]) * 320 * 240)
        (folder / "broken.png").write_bytes(b"no picture")
        (folder / "codes.txt").write_text("QG1:ABC\nnothing\n")

    def run(self, *words, lang="en", status=0):
        done = subprocess.run([self.build / "qrgatectl", *map(str, words), "--lang", lang], cwd=self.folder, capture_output=True, text=True,
                              timeout=60, env={**os.environ, "TZ": "Asia/Ho_Chi_Minh"})
        assert done.returncode == status, (words, done)
        return done


@pytest.fixture
def desk(tmp_path, build):
    desk = Desk(tmp_path, build)
    yield desk
    desk.journal.close()


# Of each command with --json, what is asked of it. watch runs until it is ended and passes on what lanes published.
ELSEWHERE = {"watch": "test_watch.py", "status": "below, of a lane", "send": "below, of a lane", "privacy-check": "below, of a lane",
             "erase-person": "below, of a lane"}
OF_FILES = {
    "events": ("events", "--journal", "in.db"),
    "inside": ("inside", "--journal", "in.db"),
    "trace": ("trace", person(1), "--journal", "in.db", "--since", "2026-11-15T00:00", "--until", "2026-11-18T00:00"),
    "report week": ("report", "week", "--iso", "2026-W47", "--journal", "in.db"),
    "verify": ("verify", "--database", "in.db"),
    "look": ("look", "gray.pgm", "broken.png", "none.png"),
    "key list": ("key", "list", "--trust", "trust"),
    "schema": ("schema",),
    "code explain": ("code", "explain", "codes.txt"),
}
STATUS = {"verify": 1, "look": 1, "code explain": 3}


def test_every_command_with_json_is_asked(build):
    with_json = {command for command in commands(build / "qrgatectl") if "json" in help_options(
        subprocess.run([build / "qrgatectl", *command.split(), "--help"], capture_output=True, text=True, check=True).stdout)}
    assert with_json == OF_FILES.keys() | ELSEWHERE.keys()


def steady(text):
    """Without what each run makes anew: the time that work took, and when a report was made."""
    return re.sub(r'("(?:stage_us|made_at|made)":)(?:\{[^}]*\}|"[^"]*")|("(?:total_us|made_at_us)":)\d+', r"\1\2-", text)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("command", OF_FILES)
def test_json_is_the_same_in_every_language(desk, command, lang):
    english, other = (desk.run(*OF_FILES[command], "--json", lang=name, status=STATUS.get(command, 0)) for name in ("en", lang))
    assert english.stdout and [json.loads(line) for line in english.stdout.splitlines()]
    assert steady(other.stdout) == steady(english.stdout)
    if command != "schema":  # whose table is a programmer's
        plain = [desk.run(*OF_FILES[command], lang=name, status=STATUS.get(command, 0)).stdout for name in ("en", lang)]
        assert plain[0] != plain[1], "the words are"


def shape(value):
    """What a consumer's program goes by: names and words, not numbers and times. The one sentence in JSON is the note to the person
    whose data export-person hands out."""
    if isinstance(value, dict):
        return {name: "sentence" if name == "note" else shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{8,}|\d{4}-\d\d-\d\dT.*", value):
        return "-"
    return value if isinstance(value, (str, bool)) else type(value).__name__


@pytest.mark.parametrize("lang", LANGUAGES)
def test_json_of_a_lane_is_the_same_in_every_language(make_lane, subscriber, lang):
    lane = make_lane(extra='commands = { auth = "acl"; };')
    for number in ("0001", "0002"):
        lane.declare(f"badge:{number}", "green")
    lane.start()

    def said(language, *words, code=0):
        done = lane.ctl("--lang", language, *words, check=False)
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        return shape(json.loads("[" + re.sub(r"\}\n(?=\{)", "},", done.stdout) + "]"))  # an object a line, or one over several
    gate.wait_for(lambda: lane.ctl("status", check=False).returncode == 0, 20, "camera and journal, at the broker")
    for words in (("status", "--json"), ("send", "time", "--json"), ("export-person", "badge:0001")):
        assert said("en", *words) == said(lang, *words) != []
    assert said("en", "privacy-check", "--json") == said(lang, "privacy-check", "--json") != []
    lane.journal.chmod(0o666)  # a warning
    assert said("en", "privacy-check", "--json", code=3) == said(lang, "privacy-check", "--json", code=3) != []
    assert said("en", "erase-person", "badge:0001", "--yes", "--json") == said(lang, "erase-person", "badge:0002", "--yes", "--json") != []


# ---- what others made ---------------------------------------------------------------------------------------------------

ROWS = """subject,status,declared_at
cccd:12,green,2026-01-01T08:00
cccd:022199012345,violet,2026-01-01T08:00
cccd:022199012345,green,2126-01-01T08:00
cccd:022199012345,green
cccd:022199012345,,2026-01-01T08:00
"x,green,2026-01-01T08:00
"""


@pytest.mark.parametrize("lang", LANGUAGES)
def test_mistakes_of_rows_are_told_in_the_language(desk, lang):
    (desk.folder / "people.csv").write_text(ROWS)
    (desk.folder / "people.jsonl").write_text('{"subject":"cccd:12"}\n{"x":1}\n{\n[]\n{"subject":"badge:1","declared_at":1767229200}\n')
    where = ("--database", "in.db", "--site-key", "in.key")
    for name, lines, begun in (("people.csv", [2, 3, 4, 5, 6, 7], {2: "subject 'cccd:12': ", 3: "status 'violet': ", 4: "declared_at '2126-"}),
                               ("people.jsonl", [1, 2, 3, 4, 5], {1: "subject 'cccd:**': "})):
        english, other = (desk.run("import", name, *where, lang=language, status=3).stderr.splitlines() for language in ("en", lang))
        assert [line.split(":")[:2] for line in english] == [line.split(":")[:2] for line in other] == [[name, str(n)] for n in lines]
        for number, one, two in zip(lines, english, other):
            start = f"{name}:{number}: {begun.get(number, '')}"
            assert one.startswith(start) and two.startswith(start) and one != two
            assert not re.search(r"\b(allowed|is missing|field|the|not)\b", two), two


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("words,status", [
    (("verify", "--database", "none.db"), 1), (("key", "site", "--out", "in.key"), 1), (("inside", "--journal", "broken.png"), 1),
    (("token", "issue", "--key", "old.key", "--subject", "badge:1", "--status", "green", "--valid", "1h", "--out", "a.bmp"), 2),
    (("look", "none.png"), 1), (("look", "."), 1), (("look", "gray.pgm", "--looks", "9"), 2), (("key", "list", "--trust", "nowhere"), 1),
    (("declare", "--database", "in.db", "--site-key", "none.key", "--subject", "badge:1", "--status", "green"), 1),
    (("token", "issue", "--key", "trust/old.pub", "--subject", "badge:1", "--status", "green", "--valid", "1h"), 1),
    (("cards", "codes.txt", "--key", "gray.pgm", "--valid", "1h", "--out", "a.pdf"), 1),
    (("code", "explain", "codes.txt", "--trust", "nowhere"), 1),
    (("token", "show", "QG1:abc"), 1), (("key", "trust", "old.key", "--trust", "trust"), 1), (("revoke", "QG1:abc", "--database", "in.db"), 1),
])
def test_failures_are_told_in_the_language(desk, words, status, lang):
    english, other = (desk.run(*words, lang=language, status=status).stderr for language in ("en", lang))
    assert "qrgatectl " in english and english.partition(":")[0] == other.partition(":")[0]
    assert not re.search(r"\b(can't|isn't|allowed|the|such|file or directory|exists|must|is a)\b", other), other


@pytest.mark.parametrize("lang", LANGUAGES)
def test_columns_stand_below_one_another(desk, lang):
    """Counted as a screen does, for a letter is up to three bytes."""
    table = TABLES[lang]
    rows = desk.run("key", "list", "--trust", "trust", lang=lang).stdout.splitlines()
    assert rows[0].split()[0] == table["keys.kid"] and len(rows) == 4
    starts = [rows[0].index(table[f"keys.{name}"]) for name in ("until", "state", "issuer", "file")]
    for row in rows[1:]:
        assert all(row[start - 1] == " " != row[start] for start in starts), row
    token = desk.run("token", "issue", "--key", "old.key", "--subject", "badge:1", "--status", "green", "--valid", "1h").stdout.strip()
    shown = desk.run("token", "show", token, "--trust", "trust", lang=lang).stdout.splitlines()
    assert len(shown) > 6 and all(row[10] == " " != row[11] for row in shown), shown
    looked = desk.run("look", "gray.pgm", lang=lang, status=1).stdout.splitlines()[1:]
    assert len(looked) == 2 and all(row[14] == " " != row[15] for row in looked), looked


def test_a_card_says_until_when_in_the_language(desk):
    import test_print
    desk.run("token", "issue", "--key", "old.key", "--subject", "badge:1", "--status", "green", "--valid", "1h", "--out", "card.pdf", lang="vi")
    assert re.search(r"dùng đến \d\d/\d\d/20\d\d \d\d:\d\d \+0700", test_print.text_of(desk.folder / "card.pdf"))
