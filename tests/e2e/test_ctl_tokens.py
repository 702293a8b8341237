"""qrgatectl's keys, signed and rotating tokens, and the cards drawn of them: the built program against files, an independent
encoder and qrencode. QRGATECTL names the program (default: build/qrgatectl)."""
import calendar
import hashlib
import hmac
import json
import os
import pathlib
import pty
import re
import select
import signal
import stat
import struct
import subprocess
import sys
import time
import zlib

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import test_print  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
CTL = pathlib.Path(os.environ.get("QRGATECTL", ROOT / os.environ.get("QRG_BUILD", "build") / "qrgatectl")).resolve()
SUBJECT = "cccd:022199012345"
STEP_S = 30
BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


class Office:
    """A folder with a site key, a trust folder, and the tool run in it without any configuration."""

    def __init__(self, folder):
        self.folder, self.trust, self.site_key = folder, folder / "trust", folder / "site.key"
        self.trust.mkdir()
        self.site_key.write_text(bytes(range(32)).hex() + "\n")
        self.site_key.chmod(0o600)

    def run(self, *words, status=0, stdin="", **more):
        done = subprocess.run([str(CTL), *map(str, words)], input=stdin, capture_output=True, cwd=self.folder,
                              text=not isinstance(stdin, bytes), timeout=60,
                              env={**os.environ, "TZ": "<+07>-7", **more})
        assert done.returncode == status, (done.args, done.returncode, done.stdout, done.stderr)
        return done

    def key(self, kid="site1", *more):
        self.run("key", "new", "--kid", kid, "--issuer", "factory-2", "--out", self.folder, *more)
        return self.folder / f"{kid}.key"

    def trusted(self, kid="site1", *more):
        key = self.key(kid, *more)
        self.run("key", "trust", "--trust", self.trust, key.with_suffix(".pub"))
        return key

    def issue(self, *more, key="site1", status=0, **changes):
        words = {"key": self.folder / f"{key}.key", "subject": SUBJECT, "status": "green", "valid": "72h", **changes}
        flat = [word for name, value in words.items() for word in (f"--{name}", value)]
        return self.run("token", "issue", *flat, *more, status=status)

    def show(self, code, *more, status=0):
        return self.run("token", "show", "-", *more, status=status, stdin=code)

    def retire(self, *words, status=0):
        return self.run("key", "retire", *words, "--trust", self.trust, status=status)

    def list(self, status=0):
        return self.run("key", "list", "--trust", self.trust, status=status)

    def provision(self, *more, subject="badge:0042", valid="30d"):
        return self.run("--site-key", self.site_key, "token", "provision", "--subject", subject, "--valid", valid, *more)


@pytest.fixture
def office(tmp_path):
    return Office(tmp_path)


def field(text, label):
    found = re.search(rf"^{label} +(.*)$", text, re.M)
    assert found, (label, text)
    return found[1]


def seconds(text):
    return calendar.timegm(time.strptime(text[:20], "%Y-%m-%dT%H:%M:%SZ"))


# ---- keys ------------------------------------------------------------------------------------------------------------

def test_a_folder_takes_both_files(office):
    key = office.key()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.with_suffix(".pub").stat().st_mode) == 0o644
    assert "ed25519-secret" not in key.with_suffix(".pub").read_text()
    assert sorted(path.name for path in office.folder.iterdir()) == ["site.key", "site1.key", "site1.pub", "trust"]
    said = office.run("key", "new", "--kid", "a", "--out", office.folder / "a.key", status=2).stderr
    assert "--public PUB_FILE is missing" in said


@pytest.mark.parametrize("valid, days", [([], 365), (["--valid", "30d"], 30), (["--valid", "48h"], 2)])
def test_keys_have_a_validity(office, valid, days):
    text = office.key("k", *valid).with_suffix(".pub").read_text()
    start, end = (seconds(re.search(rf"^{name}: (\S+)$", text, re.M)[1]) for name in ("from", "until"))
    assert abs(start - time.time()) < 60 and end - start == days * 86400


def test_key_valid_is_checked(office):
    said = office.run("key", "new", "--kid", "k", "--out", office.folder, "--valid", "soon", status=2).stderr
    assert "--valid 'soon': allowed is" in said and not (office.folder / "k.key").exists()


def test_list(office):
    office.trusted()
    office.trusted("site2")
    rows = office.list().stdout.splitlines()
    assert len(rows) == 3 and rows[0].split() == ["KID", "FROM", "UNTIL", "STATE", "ISSUER", "FILE"]
    assert rows[1].split()[0] == "site1" and rows[1].split()[3:] == ["current", "factory-2", "site1.pub"]
    (office.trust / "later.pub").write_text((office.trust / "site1.pub").read_text().replace("site1", "later")
                                            .replace("from: 20", "from: 21").replace("until: 20", "until: 21"))
    assert re.search(r"^later .* not yet ", office.list().stdout, re.M)


def test_list_as_json(office):
    office.trusted()
    public = (office.trust / "site1.pub").read_text()
    start, end = (re.search(rf"^{name}: (\S+)$", public, re.M)[1] for name in ("from", "until"))
    (office.trust / "later.pub").write_text(public.replace("site1", "later").replace("from: 20", "from: 21").replace("until: 20", "until: 21"))
    (office.trust / "plain.pub").write_text("kid: plain\n" + re.search(r"^ed25519: .*\n", public, re.M)[0])
    (office.trust / "gone.pub").write_text("kid: gone\nuntil: 2020-01-31\n" + re.search(r"^ed25519: .*\n", public, re.M)[0])
    said = office.run("key", "list", "--trust", office.trust, "--json").stdout
    assert {row["kid"]: row for row in map(json.loads, said.splitlines())} == {
        "site1": {"kid": "site1", "from": start, "until": end, "state": "current", "issuer": "factory-2", "file": "site1.pub"},
        "later": {"kid": "later", "from": f"21{start[2:]}", "until": f"21{end[2:]}", "state": "not yet", "issuer": "factory-2",
                  "file": "later.pub"},
        "plain": {"kid": "plain", "state": "current", "file": "plain.pub"},
        "gone": {"kid": "gone", "until": "2020-01-31T23:59:59Z", "state": "retired", "file": "gone.pub"}}
    (office.folder / "empty").mkdir()
    assert office.run("key", "list", "--trust", office.folder / "empty", "--json").stdout == ""


def test_list_of_nothing(office):
    assert "no key is trusted" in office.list().stdout
    said = office.run("key", "list", "--trust", office.folder / "nowhere", status=1).stderr
    assert "nowhere" in said and "--trust" in said
    said = office.run("--config", "nowhere.conf", "key", "list", status=1).stderr
    assert "nowhere.conf" in said and "--trust" in said


def test_list_tells_of_secrets_and_broken_files(office):
    key = office.trusted()
    (office.trust / "copied").write_text(key.read_text())
    done = office.list(status=1)
    assert "copied: a SECRET key on a gate!" in done.stderr and "site1" in done.stdout
    (office.trust / "copied").unlink()
    (office.trust / "broken.pub").write_text("kid: x\n")
    said = office.list(status=1).stderr
    assert "broken.pub:1: the line `ed25519: …` is missing" in said and "no lane starts" in said


def test_trust_refuses_a_secret_loudly(office):
    key = office.key()
    said = office.run("key", "trust", "--trust", office.trust, key, status=1).stderr
    assert "is a SECRET key. NOTHING was installed" in said and "made with it" in said
    assert list(office.trust.iterdir()) == []


def test_trust_installs_once(office):
    office.trusted()
    text = (office.trust / "site1.pub").read_text()
    assert text == (office.folder / "site1.pub").read_text()
    said = office.run("key", "trust", "--trust", office.trust, office.folder / "site1.pub").stdout
    assert "trusted already" in said
    other = office.folder / "other"
    other.mkdir()
    office.run("key", "new", "--kid", "site1", "--out", other)
    said = office.run("key", "trust", "--trust", office.trust, other / "site1.pub", status=1).stderr
    assert "another key" in said and "nothing was installed" in said
    assert (office.trust / "site1.pub").read_text() == text and len(list(office.trust.iterdir())) == 1


def test_a_file_in_capitals_is_a_key_too(office):
    """As a memory card writes it, and as the lane takes it: listed, not installed a second time, retired."""
    key = office.key()
    (office.trust / "SITE1.PUB").write_text(key.with_suffix(".pub").read_text())
    assert re.search(r"^site1 .* SITE1\.PUB$", office.list().stdout, re.M)
    said = office.run("key", "trust", "--trust", office.trust, key.with_suffix(".pub")).stdout
    assert "trusted already" in said and [path.name for path in office.trust.iterdir()] == ["SITE1.PUB"]
    assert "before: " in office.retire("site1").stdout
    office.retire("site1", "--remove")
    assert list(office.trust.iterdir()) == []


def test_a_kid_that_would_hide_its_file_is_refused(office):
    file = office.folder / "key.pub"
    file.write_text(KEY.replace("kid: k\n", "kid: .k\n"))
    said = office.run("key", "trust", "--trust", office.trust, file, status=1).stderr
    assert "key.pub:1: kid: allowed are" in said and "no dot first" in said and list(office.trust.iterdir()) == []


def test_trust_says_that_lanes_must_be_told(office):
    key = office.key()
    said = office.run("key", "trust", "--trust", office.trust, key.with_suffix(".pub")).stdout
    assert "systemctl reload" in said
    assert "restart" in office.retire("site1").stdout and "restart" in office.retire("site1", "--remove").stdout


def test_no_more_keys_than_a_lane_takes(office):
    office.trusted()
    text = (office.trust / "site1.pub").read_text()
    for i in range(2, 17):
        (office.trust / f"k{i}.pub").write_text(text.replace("site1", f"k{i}"))
    office.key("more")
    said = office.run("key", "trust", "--trust", office.trust, office.folder / "more.pub", status=1).stderr
    assert "16 keys" in said and "--remove" in said and not (office.trust / "more.pub").exists()


def test_retire(office):
    office.trusted()
    path = office.trust / "site1.pub"
    path.write_text("# phone of the office: 1234\n" + path.read_text())
    before = path.read_text().split("until:")[0]
    inode = path.stat().st_ino
    office.retire("site1", "--at", "2046-01-31T08:30+07:00")
    assert path.read_text() == before + "until: 2046-01-31T01:30:00Z\n"
    assert path.stat().st_ino != inode  # another file took its place; nobody ever read a half
    assert [entry.name for entry in office.trust.iterdir()] == ["site1.pub"]
    began = int(time.time())
    said = office.retire("site1").stdout
    assert "before: 2046-01-31T01:30:00Z" in said and "stolen" in said
    assert began <= seconds(re.search(r"until: (\S+)", path.read_text())[1]) <= time.time()
    office.retire("site1", "--remove")
    assert list(office.trust.iterdir()) == []


@pytest.mark.parametrize("words, status, said", [
    (["nobody"], 1, "no key 'nobody'"),
    (["site1", "--at", "soon"], 2, "--at 'soon': allowed is"),
    (["site1", "--at", "2001-01-01T00:00Z"], 2, "before the key's beginning"),
    (["site1", "--now", "--remove"], 2, "only one of"),
    (["site1", "--now", "--at", "2046-01-31T08:30Z"], 2, "only one of"),
    ([], 2, "KID is missing"),
])
def test_retire_refuses(office, words, status, said):
    office.trusted()
    before = (office.trust / "site1.pub").read_text()
    assert said in office.retire(*words, status=status).stderr
    assert (office.trust / "site1.pub").read_text() == before


KEY = "kid: k\nissuer: i\ned25519: d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\n"


@pytest.mark.parametrize("lines, start, end", [
    ("", "-", "-"),
    ("from: 2026-01-31\nuntil: 2046-12-31\n", "2026-01-31T00:00:00Z", "2046-12-31T23:59:59Z"),
    ("until: 2046-12-31T08:30:00+07:00\n", "-", "2046-12-31T01:30:00Z"),
    ("from: 1790000000\n", "2026-09-21T14:13:20Z", "-"),
    ("until: 2046-12-31T08:30:00Z\nfrom: 2046-12-31T08:30:00Z\n", "2046-12-31T08:30:00Z", "2046-12-31T08:30:00Z"),
])
def test_times_in_key_files(office, lines, start, end):
    (office.trust / "k.pub").write_text(KEY + lines)
    assert office.list().stdout.splitlines()[1].split()[1:3] == [start, end]


@pytest.mark.parametrize("lines, number, said", [
    ("until: soon\n", 4, "allowed are 2026-01-31, 2026-01-31T08:30:00Z or Unix seconds"),
    ("until:\n", 4, "allowed are"),
    ("from: 2026-02-30\n", 4, "allowed are"),
    ("from: 2026-01-31T08:30:00\n", 4, "allowed are"),  # whose local time?
    ("from: 20260131\n", 4, "allowed are"),
    ("until: -1\n", 4, "allowed are"),
    ("until: 99999999999999999999\n", 4, "allowed are"),
    ("from: 2026-01-01\nfrom: 2026-01-01\n", 5, "a second from"),
    ("until: 2026-01-01\nuntil: 2026-01-01\n", 5, "a second until"),
    ("from: 2026-02-01\nuntil: 2026-01-01\n", 5, "until is before from"),
    ("valid: 2026-01-01\n", 4, "allowed are kid, issuer, from, until and ed25519"),
])
def test_bad_times_in_key_files(office, lines, number, said):
    (office.trust / "k.pub").write_text(KEY + lines)
    errors = office.list(status=1).stderr
    assert f"k.pub:{number}: " in errors and said in errors


# ---- the site key ----------------------------------------------------------------------------------------------------

@pytest.mark.unsanitized
@pytest.mark.native("strace would see the emulator's own system calls")
def test_the_old_site_key_goes_when_the_new_one_is_sure(office):
    """A power cut at any moment leaves one whole key: its name is on the disk before the old one's bytes are overwritten."""
    log = office.folder / "calls"
    subprocess.run(["strace", "-qq", "-y", "-e", "trace=/^rename,fsync,pwrite64", "-o", str(log), str(CTL), "--site-key",
                    str(office.site_key), "key", "rotate"], check=True, capture_output=True, timeout=60)
    calls = re.findall(r"^(\w+)\((?:AT_FDCWD, |\d+<)?\"?([^,>\"]*)", log.read_text(), re.M)
    key, new, folder = str(office.site_key), f"{office.site_key}.new", str(office.folder)
    assert [(name.rstrip("at2"), path) for name, path in calls] == [
        ("pwrite64", new), ("fsync", new), ("rename", new), ("fsync", folder), ("pwrite64", key), ("fsync", key)], log.read_text()
    assert len(office.site_key.read_text().splitlines()) == 2


# ---- signed tokens ---------------------------------------------------------------------------------------------------

def test_issue_and_show(office):
    office.trusted()
    text = office.issue(name="Nguyễn Văn Thử", group="night").stdout.rstrip("\n")
    shown = office.show(text, "--trust", office.trust).stdout
    assert field(shown, "kind") == "site_token" and field(shown, "key") == "site1 (trusted here, issuer factory-2)"
    assert field(shown, "subject") == SUBJECT and field(shown, "name") == "Nguyễn Văn Thử"
    assert field(shown, "group") == "night" and field(shown, "status") == "green" and field(shown, "signature") == "holds"
    assert seconds(field(shown, "expires")) - seconds(field(shown, "issued")) == 72 * 3600
    assert "+0700" in field(shown, "expires") and "EXPIRED" not in shown
    assert re.fullmatch(r"[0-9a-f]{32} .*revoke.*", field(shown, "id"))
    assert office.run("token", "show", "--trust", office.trust, text).stdout == shown
    assert office.show(text + "\r\n", "--trust", office.trust).stdout == shown


@pytest.mark.parametrize("given, taken", [
    ("cmnd:012345678", "cmnd:012345678"), ("bhyt:0123456789", "bhyt:0123456789"),
    ("bhyt:DN4220123456789", "bhyt:0123456789"), ("qid:162979388586171100", "qid:162979388586171100"),
    ("badge:0042", "badge:0042"), ("staff:17", "staff:17"),
])
def test_subjects(office, given, taken):
    office.trusted()
    assert field(office.show(office.issue(subject=given).stdout, "--trust", office.trust).stdout, "subject") == taken


@pytest.mark.parametrize("changes, said", [
    ({"subject": "cmnd:1"}, "--subject 'cmnd:1'"), ({"subject": "badge:"}, "--subject 'badge:'"),
    ({"subject": "bhyt:12345"}, "--subject"), ({"subject": "hc1:xyz"}, "--subject"),
    ({"group": "g" * 33}, "--group 'ggg"), ({"group": "a\tb"}, "--group 'a?b'"),
    ({"out": "card.jpg"}, "--out 'card.jpg': allowed is"), ({"out": "jpg"}, "--out 'jpg'"),
])
def test_issue_refuses(office, changes, said):
    office.trusted()
    assert said in office.issue(status=2, **changes).stderr


def test_show_of_an_untrusted_token(office):
    office.trusted()
    office.key("site2")
    shown = office.show(office.issue(key="site2").stdout, "--trust", office.trust, status=3).stdout
    assert field(shown, "key") == "site2 (not trusted here)" and field(shown, "subject") == SUBJECT
    assert "REFUSED (key_unknown)" in field(shown, "signature") and "nothing above is proven" in shown
    other = office.folder / "other"
    other.mkdir()
    office.run("key", "new", "--kid", "site1", "--issuer", "factory-2", "--out", other)
    shown = office.show(office.issue(key="other/site1").stdout, "--trust", office.trust, status=3).stdout
    assert "REFUSED (signature)" in field(shown, "signature")


def test_show_of_a_retired_keys_token(office):
    office.trusted()
    text = office.issue().stdout
    start = re.search(r"from: (\S+)", (office.trust / "site1.pub").read_text())[1]
    path = office.trust / "site1.pub"
    path.write_text(re.sub("(?m)^(from|until): .*\n", "", path.read_text()) + f"until: {seconds(start) - 1}\n")
    shown = office.show(text, "--trust", office.trust, status=3).stdout
    assert "REFUSED (key_not_valid)" in field(shown, "signature") and field(shown, "subject") == SUBJECT
    path.write_text(re.sub("(?m)^until: .*\n", "", path.read_text()) + f"until: {seconds(start) + 3600}\n")
    assert field(office.show(text, "--trust", office.trust).stdout, "signature") == "holds"


def test_an_ended_key_issues_nothing(office):
    key = office.key()
    text = key.read_text()
    key.write_text(re.sub("(?m)^(from|until): .*\n", "", text) + "until: 2026-01-01\n")
    assert "was valid until 2026-01-01T23:59:59Z" in office.issue(status=1).stderr
    key.write_text(re.sub("(?m)^(from|until): .*\n", "", text) + "from: 2146-01-01\n")
    assert "not valid before 2146" in office.issue(status=1).stderr


@pytest.mark.parametrize("code, said", [
    ("QG1:~", "the token is broken: text: only Base45"), ("QG1:", "the token is broken"),
    ("QG1:" + "A" * 6000, "the token is broken"), ("hello", "no token"),
    ("022199012345|1|A|01011990|Nam|X|01012020", "code explain"), ("\x1b[31m", "no token"),
    ("", "no code"), ("QGS1:AAA", "QGS1: is broken"),
], ids=lambda text: ascii(text)[:20])
def test_show_refuses(office, code, said):
    done = office.show(code, "--trust", office.trust, status=1)
    assert said in done.stderr and "\x1b" not in done.stderr + done.stdout


# ---- cards -----------------------------------------------------------------------------------------------------------

def modules(text):
    """What qrencode draws of it: True is dark."""
    out = subprocess.run(["qrencode", "-m", "0", "-l", "M", "-t", "ASCIIi", "-o", "-", text], stdout=subprocess.PIPE,
                         check=True).stdout.decode().splitlines()
    return [[row[i] != "#" for i in range(0, len(row), 2)] for row in out]


def framed(rows, margin=4):
    side = len(rows) + 2 * margin
    return [[margin <= x < side - margin and margin <= y < side - margin and rows[y - margin][x - margin]
             for x in range(side)] for y in range(side)]


def png(data):
    """Rows of gray levels: 8 bits or fewer, not interlaced, all five filters."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
            assert (depth, colour, interlace) == (8, 0, 0)
        packed += body if kind == b"IDAT" else b""
        at += length + 12
    raw, rows, above = zlib.decompress(packed), [], bytes(width)
    for y in range(height):
        how, line = raw[y * (width + 1)], bytearray(raw[y * (width + 1) + 1:(y + 1) * (width + 1)])
        for x in range(width):
            left, up, corner = (line[x - 1] if x else 0), above[x], (above[x - 1] if x else 0)
            guess = left + up - corner
            paeth = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
            line[x] = (line[x] + (0, left, up, (left + up) // 2, paeth)[how]) & 255
        rows.append(above := bytes(line))
    return rows


def issue_card(office, name, *more):
    """The picture, and the text of the same token: both of the same second."""
    office.trusted()
    while True:
        began = int(time.time())
        text = office.issue(*more).stdout.rstrip("\n")
        office.issue(*more, out=name)
        if int(time.time()) == began:
            return office.folder / name, text


def test_png(office):
    path, text = issue_card(office, "card.png")
    rows, wanted = png(path.read_bytes()), framed(modules(text))
    side = len(rows) // len(wanted)
    assert side >= 4 and len(rows) == side * len(wanted) and stat.S_IMODE(path.stat().st_mode) == 0o600
    for y, row in enumerate(rows):
        assert [v < 128 for v in row[side // 2::side]] == wanted[y // side]


@pytest.mark.parametrize("form", ["svg", "pdf"])
def test_card(office, form):
    path, text = issue_card(office, f"card.{form}", "--name", "Thử <& \"Tên\">")
    if form == "svg":
        picture, size = test_print.svg_picture(path)
    else:
        (picture,), (size,) = test_print.pages(office.folder, path), test_print.page_sizes_mm(path)
        words = test_print.text_of(path)
        assert "Thử <& \"Tên\">" in words and re.search(r"valid until \d\d \w{3} \d{4} \d\d:\d\d \+0700", words)
    assert size == pytest.approx((190 / 3, 70), abs=0.1)
    assert picture.codes(office.folder) == [text]
    left, top, right, bottom = picture.extent(1, 1, 62, 57)
    assert (right - left, bottom - top) == pytest.approx((50, 50), abs=0.3)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_card_without_a_name_and_with_a_long_one(office):
    path, text = issue_card(office, "card.pdf")
    assert SUBJECT not in test_print.text_of(path) and "valid until" in test_print.text_of(path)
    office.issue("--name", "Nguyễn " * 13 + "N", out="card.pdf")  # an old card is replaced
    assert re.search("Nguyễn.*…", test_print.text_of(path), re.S)


def from_halves(lines):
    light = {" ": (0, 0), "▄": (0, 1), "▀": (1, 0), "█": (1, 1)}
    rows = [[not light[c][half] for c in line] for line in lines for half in (0, 1)]
    return rows[:len(lines[0])]


def test_txt(office):
    path, text = issue_card(office, "card.txt")
    lines = path.read_text().splitlines()
    assert from_halves(lines) == framed(modules(text))
    assert from_halves(office.issue(out="txt").stdout.splitlines())  # standard output, no file
    assert not (office.folder / "txt").exists()


def test_card_into_a_folder_that_is_not_there(office):
    office.trusted()
    assert "nowhere/card.png: can't be written" in office.issue(out="nowhere/card.png", status=1).stderr


# ---- rotating tokens -------------------------------------------------------------------------------------------------

def base45(text):
    out = bytearray()
    for i in range(0, len(text), 3):
        value = sum(BASE45.index(c) * 45 ** n for n, c in enumerate(text[i:i + 3]))
        out += value.to_bytes(len(text[i:i + 3]) - 1, "big")
    return bytes(out)


def cbor(raw, at=0):
    """A value and where the next begins: integers, bytes, texts, arrays, maps, tags."""
    major, low = raw[at] >> 5, raw[at] & 31
    at += 1
    size = {24: 1, 25: 2, 26: 4, 27: 8}.get(low, 0)
    number, at = (int.from_bytes(raw[at:at + size], "big") if size else low), at + size
    if major in (0, 1):
        return (number if major == 0 else -1 - number), at
    if major in (2, 3):
        body = raw[at:at + number]
        return (body if major == 2 else body.decode()), at + number
    items = []
    for _ in range({4: number, 5: 2 * number, 6: 1}[major]):
        item, at = cbor(raw, at)
        items.append(item)
    return (items if major == 4 else dict(zip(items[::2], items[1::2])) if major == 5 else (number, items[0])), at


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def short_bytes(data):
    assert len(data) < 256
    return (bytes([0x40 + len(data)]) if len(data) < 24 else bytes([0x58, len(data)])) + data


def test_provision_by_an_independent_reader(office):
    done = office.provision()
    text = done.stdout.rstrip("\n")
    assert text.startswith("QGS1:") and "SECRET" in done.stderr and "revoke" in done.stderr
    held, _ = cbor(base45(text[5:]))
    assert set(held) == {2, 4, 7, -70005} and held[2] == "badge:0042" and len(held[7]) == 8
    assert abs(held[4] - time.time() - 30 * 86400) < 60
    holder = len(held[2]).to_bytes(2, "big") + held[2].encode() + held[4].to_bytes(8, "big") + held[7]
    rotation_key = mac(bytes(range(32)), b"qrgate rotation key 1")
    assert held[-70005] == mac(rotation_key, b"qrgate rotating token 1" + holder)

    code = office.run("token", "rotate-demo", "--code", text, "--once", "--step", 59666666).stdout.rstrip("\n")
    (tag, (header, unprotected, payload, got)), _ = cbor(base45(code[4:]))
    assert (tag, header, unprotected) == (17, bytes.fromhex("a10105"), {})
    assert cbor(payload)[0] == {2: held[2], 4: held[4], 7: held[7], -70004: 59666666}
    structure = b"\x84\x64MAC0" + short_bytes(header) + b"\x40" + short_bytes(payload)
    assert got == mac(held[-70005], structure)
    identity = hashlib.sha256(b"qrgate rotating token id 1" + holder).hexdigest()[:32]
    shown = office.show(code, "--site-key", office.site_key).stdout
    assert field(shown, "id").startswith(identity) and identity in done.stderr
    assert field(office.show(text).stdout, "id").startswith(identity)


def test_each_provision_is_another(office):
    assert office.provision().stdout != office.provision().stdout


def test_show_rotating(office):
    text = office.provision().stdout
    code = office.run("token", "rotate-demo", "--code", "-", "--once", stdin=text).stdout
    shown = office.show(code, "--site-key", office.site_key).stdout
    assert field(shown, "kind") == "rotating_token" and field(shown, "subject") == "badge:0042"
    assert "register" in field(shown, "status") and field(shown, "signature") == "holds"
    assert 0 <= time.time() - seconds(field(shown, "shown")) < 3 * STEP_S
    office.site_key.write_text("11" * 32 + "\n")
    assert "REFUSED (signature)" in office.show(code, "--site-key", office.site_key, status=3).stdout
    assert "NOT CHECKED" in office.show(code, "--trust", office.trust, status=3).stdout


def test_show_of_a_provisioning_hides_its_secret(office):
    text = office.provision().stdout.rstrip("\n")
    shown = office.show(text).stdout
    secret = cbor(base45(text[5:]))[0][-70005].hex()
    assert "SECRET" in shown and secret not in shown and text not in shown


def test_provision_as_a_card(office):
    office.provision("--out", "phone.pdf")
    assert "SECRET" in test_print.text_of(office.folder / "phone.pdf")
    assert stat.S_IMODE((office.folder / "phone.pdf").stat().st_mode) == 0o600
    lines = office.provision("--out", "txt").stdout.splitlines()
    assert len(lines) > 15 and set("".join(lines)) <= set(" ▄▀█")


@pytest.mark.parametrize("words, status, said", [
    ([], 2, "one of --code and --subject is needed"),
    (["--code", "QGS1:AAA", "--subject", "badge:1"], 2, "one of --code and --subject is needed"),
    (["--code", "QGS1:AAA", "--once"], 2, "--code: allowed is"),
    (["--code", "QG1:AAA", "--once"], 2, "--code: allowed is"),
    (["--subject", "cccd:1", "--once"], 2, "--subject 'cccd:1'"),
    (["--subject", "badge:1", "--once", "--step", "0"], 2, "--step '0'"),
    (["--subject", "badge:1", "--once", "--step", "-1"], 2, "--step '-1'"),
    (["--subject", "badge:1", "--once", "--step", "99999999999"], 2, "--step"),
])
def test_demo_refuses(office, words, status, said):
    assert said in office.run("--site-key", office.site_key, "token", "rotate-demo", *words, status=status).stderr


def test_demo_makes_a_holder_up(office):
    code = office.run("--site-key", office.site_key, "token", "rotate-demo", "--subject", "badge:7", "--once").stdout
    shown = office.show(code, "--site-key", office.site_key).stdout
    assert field(shown, "subject") == "badge:7" and field(shown, "signature") == "holds"
    assert 0 < seconds(field(shown, "expires")) - time.time() <= 3600


def test_demo_off_a_terminal(office):
    """One line at once, and an end by a signal that is an end and no failure."""
    with subprocess.Popen([str(CTL), "--site-key", str(office.site_key), "token", "rotate-demo", "--subject", "badge:7"],
                          stdout=subprocess.PIPE, text=True) as process:
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(10) == 0
    assert first.startswith("QG1:") and all(line.startswith("QG1:") for line in rest.splitlines())
    assert "\x1b" not in first + rest


def test_demo_on_a_terminal(office):
    """The code is drawn, the countdown counts, Ctrl-C ends it and clears the pass away."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(CTL, [str(CTL), "--site-key", str(office.site_key), "token", "rotate-demo", "--subject", "badge:7"])
    shown, until = b"", time.monotonic() + 20
    while len(set(re.findall(rb"next in +(\d+) s", shown))) < 2:
        assert select.select([terminal], [], [], until - time.monotonic())[0], shown
        shown += os.read(terminal, 65536)
    assert "█".encode() in shown and b"\x1b[40;97m" in shown and b"badge:7" in shown
    os.write(terminal, b"\x03")
    while True:
        try:
            more = os.read(terminal, 65536)
        except OSError:
            break
        if not more:
            break
        shown += more
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(terminal)
    assert shown.rstrip().endswith(b"\x1b[H\x1b[2J")


def test_full_disk_on_output_is_an_error(office):
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(CTL), "--site-key", str(office.site_key), "token", "rotate-demo", "--subject", "badge:7"],
                              stdout=full, stderr=subprocess.PIPE, text=True, timeout=20)
    assert done.returncode == 1 and "written" in done.stderr
