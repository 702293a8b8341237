"""qrgatectl code explain, the built program: every vector of tests/data/credentials through it at once, each way of feeding
and printing, and what a stranger may try. QRGATECTL names the program (default: build/qrgatectl)."""
import calendar
import json
import os
import pathlib
import pty
import re
import shutil
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CTL = pathlib.Path(os.environ.get("QRGATECTL", ROOT / os.environ.get("QRG_BUILD", "build") / "qrgatectl")).resolve()
DATA = ROOT / "tests" / "data" / "credentials"
CARD = "022199012345|100200300|Nguyễn Thị Bích Phượng|15081999|Nữ|Quảng Yên|01082022"
POSTER = "https://tokhaiyte.vn/?page=Group.checkin&groupId=0123456789abcdef01234567"
CHECKS = ["base45", "zlib", "cose", "key", "signature", "key_usage", "claims", "schema"]
CHECK_LETTERS = {"P": "passed", "F": "failed", "-": "not_reached"}
WARNINGS = ["sex_mismatch", "birth_mismatch", "masked", "name_not_nfc"]
SOON = "2026-09-21T14:15:00Z"  # the vectors' tokens are of 2026-09-21T14:13:20Z
PUBLIC = {"qg01": ("gate.example", "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"),  # seed 00 … 1f
          "any1": ("", "29acbae141bccaf0b22e1a94d34d0bc7361e526d0bfe12c89794bc9322966dd7")}  # seed 20 … 3f


class Desk:
    """Who and what the vectors' files say is trusted: two issuers, the health certificates' signers, the site key."""

    def __init__(self, folder):
        self.folder, self.trust, self.key = folder, folder / "trust", folder / "site.key"
        shutil.copytree(DATA / "hc1" / "trust", self.trust)
        for kid, (issuer, key) in PUBLIC.items():
            (self.trust / f"{kid}.pub").write_text(f"kid: {kid}\nissuer: {issuer}\ned25519: {key}\n")
        self.key.write_text(bytes(range(32)).hex() + "\n")
        self.key.chmod(0o600)

    def explain(self, codes, *words, status=None, trust=True, key=True, at=SOON, **more):
        where = [*(["--site-key", self.key] if key else []), *(["--trust", self.trust] if trust else []),
                 *(["--at", at] if at else [])]
        data = codes.encode() if isinstance(codes, str) else codes
        done = subprocess.run([str(word) for word in (CTL, "code", "explain", *where, *words)], input=data,
                              capture_output=True, timeout=120, cwd=self.folder, **more)
        if status is not None:
            assert done.returncode == status, (done.args, done.returncode, done.stdout[-2000:], done.stderr)
        return done

    def text(self, codes, *words, status=0, **more):
        return self.explain(codes, *words, status=status, **more).stdout.decode()

    def objects(self, codes, *words, **more):
        done = self.explain(codes, "--json", *words, **more)
        assert done.returncode in (0, 3), done.stderr
        found = [json.loads(line) for line in done.stdout.splitlines()]
        assert [one["number"] for one in found] == list(range(1, len(found) + 1))
        assert done.returncode == (3 if any(one["fault"] != "ok" for one in found) else 0)
        return found

    def one(self, code, *words, **more):
        found, = self.objects(code, *words, **more)
        return found


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


def unescaped(text):
    return re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())


def rows(path):
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line and not line.startswith("#"):
            cells = line.split("\t")
            yield [cells[0], unescaped(cells[1]), *cells[2:]]


def vector(name, what):
    found, = [row for row in rows(DATA / name) if row[0] == what]
    return found[1]


TABLES = sorted(str(path.relative_to(DATA)) for path in DATA.rglob("*.tsv"))


def test_every_table_is_known():
    assert TABLES == ["bhyt.tsv", "cccd.tsv", "hc1/hc1.tsv", "personal_1405.tsv", "place.tsv", "recognition.tsv",
                      "rotating.tsv", "token.tsv"]


# ---- the vectors -----------------------------------------------------------------------------------------------------

def assert_row(row, got, rotating):
    """One row of a table against what was printed for it."""
    what, _, kind, fault, detail, subject = row[:6]
    assert (got["kind"], got["fault"]) == (kind, fault), (what, got)
    assert detail == "-" or detail in got["detail"], (what, got)
    assert (got["verdict"]["action"] == "deny") or fault == "ok", (what, got)
    if fault != "ok":
        assert not got["signed"], (what, got)
        return
    assert got.get("subject", "-") == subject, (what, got)
    assert "detail" not in got, (what, got)
    if rotating:
        expires, step, token_id = row[6:9]
        assert (str(got["rotation_step"]), got["token_id"], got["signed"]) == (step, token_id, True), (what, got)
        assert seconds(got["expires_at"]) == int(expires), (what, got)
        return
    name, status, issued, expires, warnings = row[6:11]
    assert got.get("name", "-") == name, (what, got)
    assert got.get("status", "none") == status, (what, got)
    assert seconds(got.get("issued_at")) == int(issued) and seconds(got.get("expires_at")) == int(expires), (what, got)
    assert got["warnings"] == [word for bit, word in enumerate(WARNINGS) if int(warnings) & 1 << bit], (what, got)
    if len(row) > 11:
        assert sorted(got["aliases"]) == sorted([] if row[11] == "-" else row[11].split()), (what, got)
    if len(row) > 12:
        assert got.get("name_compare", "-") == row[12], (what, got)


def seconds(text):
    """Of a printed time; 0 when there is none."""
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")) if text else 0


@pytest.mark.parametrize("table", TABLES)
def test_every_vector(desk, table):
    """All rows in one run, divided by NUL. NULs at a code's end are dropped by the gate anyway; the few codes with one
    inside can't be fed so, and go alone, as a line."""
    everything = [(row, row[1].rstrip(b"\0")) for row in rows(DATA / table)]
    together = [(row, code) for row, code in everything if b"\0" not in code and code not in (b"", b"\r")]
    alone = [(row, code) for row, code in everything if b"\0" in code and b"\n" not in code.rstrip(b"\r\n\0")]
    got = desk.objects(b"".join(code + b"\0" for _, code in together), "-0")
    assert len(got) == len(together) >= 40 and len(together) + len(alone) >= len(everything) - 4
    for (row, _), one in zip(together, got):
        assert_row(row, one, table == "rotating.tsv")
        if table == "hc1/hc1.tsv":
            assert_health(row, one)
    for row, code in alone:
        assert_row(row, desk.one(code.rstrip(b"\r\n\0") + b"\n"), table == "rotating.tsv")


def assert_health(row, got):
    checks = {name: CHECK_LETTERS[letter] for name, letter in zip(CHECKS, row[13])}
    assert {name: got["checks"][name] for name in CHECKS} == checks, (row[0], got)
    told = row[14].split(" ") if len(row) > 14 and row[14] != "-" else []
    if told:
        health = got["health"]
        assert health["type"] == told[0], (row[0], got)
        for word, key in zip(told[1:], ("country", "birth_date", "disease")):
            assert word in ("", health.get(key, "-")), (row[0], key, got)


def test_members_are_in_the_manual(desk):
    text = (ROOT / "config" / "man" / "qrgate-codes.7").read_text().replace("\\-", "-")
    told = text[text.index("one object a line"):text.index("What is not known is left out")]
    told = set(re.findall(r"\w+", told))
    for table in "cccd.tsv", "token.tsv", "rotating.tsv", "hc1/hc1.tsv":
        codes = [row[1].rstrip(b"\0") for row in rows(DATA / table) if row[3] == "ok"]
        for one in desk.objects(b"\0".join(code for code in codes if b"\0" not in code), "--null"):
            assert set(one) <= told, set(one) - told


# ---- feeding ---------------------------------------------------------------------------------------------------------

def test_stdin_file_and_dash_are_alike(desk):
    (desk.folder / "codes").write_text(CARD + "\n" + POSTER)
    expected = desk.text(CARD + "\n" + POSTER + "\n", status=3)
    assert desk.text("", "codes", status=3) == expected
    assert desk.text(CARD + "\n" + POSTER, "-", status=3) == expected
    assert re.findall(r"^(\d): (\w+)", expected, re.M) == [("1", "cccd"), ("2", "place_code")]


def test_lines_may_end_in_cr_and_empty_ones_are_skipped(desk):
    got = desk.objects(f"\r\n\n{CARD}\r\n\r\n\n{POSTER}\r\n\n")
    assert [one["kind"] for one in got] == ["cccd", "place_code"]


def test_a_space_is_never_trimmed(desk):
    token = vector("token.tsv", "tag 18, kid protected").decode()
    assert desk.one(token + "\n")["fault"] == "ok"
    assert desk.one(token + " \n")["fault"] == desk.one(" " + token)["fault"].replace("unsupported", "malformed")


def test_nul_separated_codes_may_hold_newlines(desk):
    codes = [f"{CARD}\n", CARD.replace("|Quảng", "|Qu\nảng"), POSTER, "A\nB"]
    got = desk.objects("\0".join(codes), "-0")
    assert [(one["kind"], one["fault"]) for one in got] == [
        ("cccd", "ok"), ("cccd", "malformed"), ("place_code", "place_code"), ("unsupported", "unsupported")]
    assert desk.objects("\0".join(codes) + "\0", "--null") == got
    assert len(desk.objects("\n".join(codes))) == 6


def test_the_longest_code_and_one_byte_more(desk):
    longest = desk.one("A" * 7089 + "\n")
    assert "no kind" in longest["detail"]
    for length in 7090, 7091, 100_000:
        too_long, after = desk.objects("A" * length + "\n" + CARD)
        assert too_long["fault"] == "unsupported" and "7089 bytes at most" in too_long["detail"]
        assert after["fault"] == "ok"
    assert desk.one(CARD + "\r" + "\n" * 3)["fault"] == "ok"


def test_nothing_given_is_said(desk):
    for nothing in "", "\n", "\r\n\n":
        done = desk.explain(nothing, status=1)
        assert done.stdout == b"" and b"no code was given; try: echo" in done.stderr


def test_a_missing_file_is_said(desk):
    assert b"nowhere.txt: can't be read: No such file" in desk.explain("", "nowhere.txt", status=1).stderr
    assert b"trust: can't be read: Is a directory" in desk.explain("", desk.trust, status=1).stderr


def test_the_person_at_a_terminal_is_told_what_to_do(desk):
    master, slave = pty.openpty()
    process = subprocess.Popen([CTL, "code", "explain", "--at", SOON], stdin=slave, stderr=slave, stdout=subprocess.PIPE)
    os.close(slave)
    said = os.read(master, 1000)
    assert b"one a line; Ctrl-D ends" in said
    os.write(master, POSTER.encode() + b"\n\x04")
    assert b"place_code" in process.communicate(timeout=20)[0] and process.returncode == 3
    os.close(master)


# ---- trust and time --------------------------------------------------------------------------------------------------

def test_a_trusted_token(desk):
    one = desk.one(vector("token.tsv", "tag 18, kid protected"))
    assert one["signed"] and one["subject"] == "cccd:022199012345" and one["status"] == "green"
    assert one["token_id"] == "d6fa72fc0ef136a919297fe0ec10c096"
    assert one["verdict"] == {"action": "open", "reason": "status_green", "status": "green"}
    assert {name for name, result in one["checks"].items() if result == "passed"} == \
        {"base45", "cose", "key", "signature", "key_usage", "claims", "not_before", "not_expired"}


@pytest.mark.parametrize("at, failed, reason", [
    ("2026-09-21T14:13:20Z", None, "status_green"),
    ("2026-09-21T14:12:20Z", None, "status_green"),  # the default skew is 60 s
    ("2026-09-21T14:12:19Z", "not_before", "token_not_yet_valid"),
    ("2026-09-21T21:12:19+07:00", "not_before", "token_not_yet_valid"),
    ("1790086399", None, "status_green"),
    ("1790086400", "not_expired", "token_expired"),
])
def test_time_is_what_one_says(desk, at, failed, reason):
    one = desk.one(vector("token.tsv", "tag 18, kid protected"), at=at)
    assert one["fault"] == "ok" and one["verdict"]["reason"] == reason
    assert [name for name, result in one["checks"].items() if result == "failed"] == ([failed] if failed else [])


def test_time_is_now_when_nothing_is_said(desk):
    for at in None, int(time.time()):
        one = desk.one(vector("token.tsv", "tag 18, kid protected"), at=at)
        assert one["checks"]["not_expired"] == ("passed" if time.time() < 1790086400 else "failed")


def test_a_rotating_code_needs_the_site_key_and_its_half_minute(desk):
    code = vector("rotating.tsv", "a code")  # step 59666666: 2026-09-21T14:13:00Z
    for at, reason in (("2026-09-21T14:12:30Z", "no_declaration"), ("2026-09-21T14:12:29Z", "token_out_of_step"),
                       ("2026-09-21T14:13:59Z", "no_declaration"), ("2026-09-21T14:14:00Z", "token_out_of_step")):
        one = desk.one(code, at=at)
        assert (one["fault"], one["signed"], one["verdict"]["reason"]) == ("ok", True, reason), at
    assert "\n  made for      2026-09-21T14:13:00Z\n" in desk.text(code, at="2026-09-21T14:13:10Z")
    assert desk.one(code, key=False)["fault"] == "key_unknown"
    other = desk.folder / "other.key"
    other.write_text("ff" * 32 + "\n")
    other.chmod(0o600)
    assert desk.one(code, "--site-key", other)["fault"] == "signature"


@pytest.mark.parametrize("table, what, fault", [
    ("token.tsv", "tag 18, kid protected", "key_unknown"), ("token.tsv", None, "signature"), ("hc1/hc1.tsv", None, "signature"),
])
def test_what_is_not_proven_is_shown_and_denied(desk, table, what, fault):
    """For help the fields stay, though the gate believes none of it."""
    if what:
        code = vector(table, what)
    else:
        code = next(row[1] for row in rows(DATA / table) if row[3] == fault)
    one = desk.one(code, trust=fault != "key_unknown")
    assert one["fault"] == fault and not one["signed"] and one["subject"]
    assert one["verdict"]["action"] == "deny"
    assert one["verdict"]["reason"] == {"signature": "signature_invalid"}.get(fault, fault)
    text = desk.text(code, status=3, trust=fault != "key_unknown")
    assert f", refused ({fault}): " in text and "\n  subject " in text
    assert "\n  note          nothing above is proven\n  the gate      deny (" in text


def test_a_broken_code_shows_nothing_of_itself(desk):
    broken = CARD.replace("15081999", "45081999")
    one, text = desk.one(broken), desk.text(broken, status=3)
    assert one["fault"] == "malformed" and "subject" not in one and "name" not in one
    assert one["checks"]["schema"] == "failed" and "birth" in one["detail"]
    assert "022199012345" not in text and "Phượng" not in text and "proven" not in text


def test_a_bad_trust_folder_is_said(desk):
    done = desk.explain(CARD, "--trust", "nowhere", status=1)
    assert b"nowhere" in done.stderr and b"No such file" in done.stderr and done.stdout == b""
    (desk.trust / "bad.pub").write_text("kid: bad\n")
    done = desk.explain(CARD, status=1)
    assert b"bad.pub" in done.stderr and b"see above" in done.stderr and done.stdout == b""


def test_the_configuration_gives_trust_key_and_policy(desk):
    config = desk.folder / "lane.conf"
    config.write_text(f'''site = "s"; lane = "l"; lines = {{ driver = "sim"; }};
journal = {{ site_key_file = "{desk.key}"; }}; trust = {{ folder = "{desk.trust}"; }};
policy = {{ green = "hold"; none = "deny"; number_mismatch = "deny"; }};''')
    plain = {"trust": False, "key": False}
    assert desk.one(vector("token.tsv", "tag 18, kid protected"), "--config", config, **plain)["verdict"]["action"] == "hold"
    assert desk.one(vector("rotating.tsv", "a code"), "--config", config, **plain)["fault"] == "ok"
    assert desk.one(CARD, "--config", config, **plain)["verdict"]["action"] == "deny"
    mismatch = desk.one(CARD.replace("Nữ", "Nam"), "--config", config, **plain)
    assert mismatch["warnings"] == ["sex_mismatch"] and mismatch["verdict"]["reason"] == "number_mismatch"
    config.write_text('site = "s";')
    assert b"can't be used (see above)" in desk.explain(CARD, "--config", config, status=1, **plain).stderr


@pytest.mark.native("an emulator's loader looks into the /etc of its own")
def test_only_a_configuration_that_is_not_there_is_done_without(desk):
    """One that can't be read is a mistake to be told: by the defaults and with no key, every genuine pass would be a stranger's."""
    etc, pass_code = desk.folder / "etc", vector("token.tsv", "tag 18, kid protected")
    (etc / "qrgate").mkdir(parents=True)
    shutil.copy("/etc/ld.so.cache", etc)

    def run(*words, **more):
        """Without root's right to read everything, and with that folder for /etc."""
        return subprocess.run(["unshare", "--mount", "sh", "-ec", 'mount --bind "$0" /etc; exec "$@"', etc, "setpriv",
                               "--bounding-set=-all", "--inh-caps=-all", *words], capture_output=True, timeout=60, **more)

    if (tried := run("true")).returncode != 0:
        pytest.skip(f"no /etc of its own for the test: {tried.stderr.decode().strip()}")
    explain = CTL, "code", "explain", "--at", SOON
    show = CTL, "--site-key", desk.key, "token", "show", "-"
    form = CTL, "--site-key", desk.key, "--database", desk.folder / "journal.db", "declare"
    done = run(*explain, input=CARD.encode())
    assert (done.returncode, done.stderr) == (0, b"")  # nobody's key is asked for
    done = run(*explain, input=pass_code + b"\n" + pass_code)
    assert done.returncode == 3 and done.stdout.count(b"refused (key_unknown)") == 2
    assert done.stderr == b"/etc/qrgate/trust isn't there, so no issuer's key is known here: name the folder of trusted keys with --trust\n"
    assert b"NOT CHECKED" in run(*show, input=pass_code).stdout
    shutil.copytree(desk.trust, etc / "qrgate" / "trust")
    done = run(*explain, input=pass_code)
    assert done.returncode == 0 and b"readable" in done.stdout and done.stderr == b""
    (etc / "qrgate").chmod(0)
    master, slave = pty.openpty()
    os.write(master, b"\4")  # asked, it would be answered with the end of the input
    for words, stdin in ((explain, {"input": pass_code}), (show, {"input": pass_code}), (form, {"stdin": slave})):
        done = run(*words, **stdin)
        assert done.returncode == 1 and done.stdout == b"", done
        assert b"/etc/qrgate/qrgate.conf" in done.stderr and b"can't be used (see above)" in done.stderr, done.stderr
    os.close(master)
    os.close(slave)
    (etc / "qrgate").chmod(0o755)


def test_a_site_key_that_is_broken_is_said(desk):
    desk.key.write_text("zz\n")
    assert b"site.key" in desk.explain(CARD, status=1).stderr


# ---- printing --------------------------------------------------------------------------------------------------------

def test_text_for_a_person(desk):
    assert desk.text(CARD) == '''1: cccd, readable
  subject       cccd:022199012345
  also          cmnd:100200300
  name          Nguyễn Thị Bích Phượng
  compared as   NGUYEN THI BICH PHUONG
  schema        passed
  the gate      asks the register; nothing declared there means hold (no_declaration)
'''
    assert desk.text(f"{CARD}\n{POSTER}", status=3).endswith('''

2: place_code, refused (place_code): code: a place's poster; show a person's own code
  the gate      deny (place_code): This is a place's code, not a person's.
  what to do    The worker shows a code of their own.
''')


def test_text_of_a_certificate(desk):
    text = desk.text(vector("hc1/hc1.tsv", "vaccination, ES256, kid protected"))
    for line in ("1: health_certificate, readable", "  vaccination   dose 2 of 2", "  product       EU/1/20/1528",
                 "  on            2026-03-14", "  born          1987-01-18", "  key_current   passed",
                 "  the gate      open (status_green): The person's declaration is green."):
        assert f"{line}\n" in text
    text = desk.text(vector("hc1/hc1.tsv", "recovery"))
    assert re.search(r"^  recovery\n  positive on   \d{4}-\d\d-\d\d\n  from          \S{10}\n  until         \S{10}\n",
                     text, re.M)
    assert re.search(r"^  test          negative\n  type          LP\S+\n  sampled       \S+Z$",
                     desk.text(vector("hc1/hc1.tsv", "test")), re.M)


def test_text_and_json_agree(desk):
    """The same checks, the same verdict, for every good token and certificate."""
    codes = [row[1] for table in ("token.tsv", "hc1/hc1.tsv") for row in rows(DATA / table)]
    codes = b"\0".join(code for code in codes if code and b"\n" not in code and b"\0" not in code)
    got = desk.objects(codes, "-0")
    texts = re.split(r"^\d+: ", desk.explain(codes, "-0").stdout.decode(), flags=re.M)[1:]
    assert len(got) == len(texts) > 300
    for one, text in zip(got, texts):
        told = dict(re.findall(r"^  (\w+) +(passed|failed)$", text, re.M))
        assert told == {name: result for name, result in one["checks"].items() if result != "not_reached"}, text
        assert f"{one['verdict']['action']} ({one['verdict']['reason']})" in text, text


HOSTILE = [b"\x1b[31mred\x1b[0m", b"\x9b31m", b"QG1:\x1b]0;title\x07", CARD.encode().replace(b"Ph", b"\x1b[2J"),
           b"HC1:\x07\x08", b"shc:/\x1b[1m", POSTER.encode() + b"\x1b[5m", bytes(range(1, 10)) + bytes(range(11, 256)),
           "022199012345|100200300|\u202eThử|15081999|Nữ|x|01082022".encode(), b"a|b|c\x1b|$", b"\xff\xfe|" * 6 + b"$",
           "022199012345||Th\u2028ử|15081999|Nữ|x|01082022".encode(), b"1|\x1b|1987-01-18|0|1|"]


def test_hostile_codes_print_no_control_characters(desk):
    codes = HOSTILE + [row[1] for table in TABLES for row in rows(DATA / table)]
    for words in ((), ("--json",)):
        out = desk.explain(b"\0".join(codes) + b"\0", "-0", *words, status=3).stdout
        assert out.count(b"\n") > len(codes) // 2
        text = out.decode("utf-8")  # always whole characters
        bad = {c for c in text if (ord(c) < 0x20 and c != "\n") or 0x7f <= ord(c) < 0xa0 or c in "\u2028\u2029\u202e\u202d\u2066"}
        assert not bad, bad


def test_a_token_can_lie_but_not_draw(desk):
    """The office's own words, signed by a stranger: what is shown of an unproven code is clean as well."""
    for row in rows(DATA / "token.tsv"):
        if b"\0" in row[1] or b"\n" in row[1] or not row[1]:
            continue
        out = desk.explain(row[1], trust=False).stdout.decode()
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", out), row[0]


# ---- exit status -----------------------------------------------------------------------------------------------------

def test_exit_status(desk):
    assert desk.text(CARD, status=0)
    assert desk.text(f"{CARD}\n{POSTER}\n", status=3)
    desk.explain("", status=1)
    for words in (["--at", "tomorrow"], ["--frobnicate"], ["a", "b"], ["--json=yes"], ["--trust"], ["--trust="]):
        done = desk.explain(CARD, *words, status=2)
        assert done.stdout == b"" and done.stderr.count(b"\n") == 1
    assert b"allowed is 2026-01-31T08:30" in desk.explain(CARD, at="2026-13-01", status=2).stderr


def test_a_full_disk_is_an_error(desk):
    with open("/dev/full", "w") as full:
        for code in CARD, POSTER:
            done = subprocess.run([CTL, "code", "explain", "--at", SOON], input=code.encode(), stdout=full,
                                  stderr=subprocess.PIPE, timeout=20)
            assert done.returncode == 1 and done.stderr.count(b"can't be written") == 1


def test_the_register_is_not_touched(desk):
    """Neither asked nor made: a code that is looked at leaves nothing behind."""
    before = sorted(path.name for path in desk.folder.rglob("*"))
    desk.text(f"{CARD}\n", "--database", desk.folder / "journal.db")
    assert sorted(path.name for path in desk.folder.rglob("*")) == before
