"""qrgatectl, the built program, on databases of its own. QRGATECTL names it (default: build/qrgatectl)."""
import hashlib
import hmac
import json
import os
import pathlib
import pty
import re
import sqlite3
import stat
import struct
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CTL = pathlib.Path(os.environ.get("QRGATECTL", ROOT / os.environ.get("QRG_BUILD", "build") / "qrgatectl")).resolve()
SUBJECT = "cccd:022199012345"
HEADER = "subject,status,declared_at\n"
COMMANDS = ["declare", "import", "key new", "key site", "token issue", "events", "verify"]


class Site:
    def __init__(self, folder):
        self.folder = folder
        self.database = folder / "journal.db"
        self.key = folder / "site.key"
        self.key.write_text("5a" * 32 + "\n")
        self.key.chmod(0o600)

    def run(self, *words, status=0, stdin=None, plain=False, **more):
        where = [] if plain else ["--database", str(self.database), "--site-key", str(self.key)]
        done = subprocess.run([str(CTL), *where, *map(str, words)], input=stdin, capture_output=True, cwd=self.folder,
                              text=not isinstance(stdin, bytes), timeout=60, **more)
        assert done.returncode == status, (done.args, done.returncode, done.stdout, done.stderr)
        return done

    def csv(self, text, name="people.csv"):
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def rows(self, sql="SELECT person, status, declared_at_s, source FROM declaration ORDER BY person"):
        with sqlite3.connect(self.database) as db:
            return db.execute(sql).fetchall()

    def person(self, subject=SUBJECT):
        return hmac.new(b"\x5a" * 32, subject.encode(), hashlib.sha256).hexdigest()[:32]


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


# ---- the command line ------------------------------------------------------------------------------------------------

def test_version_and_help(site):
    assert re.fullmatch(r"qrgatectl \S+\n", site.run("--version", plain=True).stdout)
    text = site.run("--help", plain=True).stdout
    for command in COMMANDS:
        assert f"  {command} " in text
        own = site.run(*command.split(), "--help", plain=True).stdout
        assert own.startswith(f"Usage: qrgatectl {command}") and "Exit status:" in own and "--config FILE" in own
    for code in "0123":
        assert f"\n  {code}  " in text


@pytest.mark.parametrize("words, said", [
    ([], "Usage:"),
    (["frobnicate"], "unknown command 'frobnicate'; see: qrgatectl --help"),
    (["key"], "'key "),
    (["key", "old"], "'key old'; see: qrgatectl --help"),
    (["--frobnicate"], "unknown option '--frobnicate'; see: qrgatectl --help"),
    (["declare", "--frobnicate", "1"], "unknown option '--frobnicate'; see: qrgatectl declare --help"),
    (["declare", "-x"], "unknown option '-x'; see: qrgatectl declare --help"),
    (["declare"], "--subject cccd:NUMBER is missing; see: qrgatectl declare --help"),
    (["declare", "--subject"], "a value is missing after '--subject'"),
    (["declare", "--subject="], "an empty value for"),
    (["import"], "FILE.csv is missing"),
    (["import", "a.csv", "b.csv"], "one word too many: 'b.csv'"),
    (["events", "--json=yes"], "no value is allowed with"),
    (["events", "--limit", "-5"], "--limit '-5': allowed is a number"),
    (["verify", "now"], "one word too many: 'now'"),
])
def test_usage_errors(site, words, said):
    assert said in site.run(*words, status=2, plain=True).stderr


def test_control_characters_are_not_echoed(site):
    assert "\x1b" not in site.run("declare", "--\x1b[31mred", status=2).stderr
    assert "\x1b" not in site.run("declare", "--subject", "\x1b[31m", "--status", "green", status=2).stderr


def test_options_stand_before_or_after(site):
    where = [f"--database={site.database}", f"--site-key={site.key}"]
    site.run("declare", "--subject", SUBJECT, "--status", "green", *where, plain=True)
    site.run(where[0], "declare", "--subject=" + SUBJECT, "--status=green", where[1], plain=True)
    assert len(site.rows()) == 1


def test_configuration_names_database_and_key(site):
    config = site.folder / "qrgate.conf"
    missing = site.run("--config", config, "events", status=1, plain=True).stderr
    assert str(config) in missing and "--config" in missing
    source = (ROOT / "config" / "qrgate.conf").read_text()
    config.write_text(source + f'\njournal = {{ path = "{site.database}"; site_key_file = "{site.key}"; }};\n')
    site.run("--config", config, "declare", "--subject", SUBJECT, "--status", "green", plain=True)
    assert site.rows()[0][0] == site.person()


# ---- declare ---------------------------------------------------------------------------------------------------------

def test_declare_keeps_only_the_hash(site):
    before = int(time.time())
    site.run("declare", "--subject", SUBJECT, "--status", "yellow")
    (person, status, at_s, source), = site.rows()
    assert (person, status, source) == (site.person(), "yellow", "manual")
    assert before <= at_s <= time.time() + 1
    for path in site.folder.glob("journal.db*"):
        assert SUBJECT[5:].encode() not in path.read_bytes()


@pytest.mark.parametrize("text, at_s", [
    ("1700000000", 1700000000),
    ("2023-11-14T22:13:20Z", 1700000000),
    ("2023-11-15T05:13:20+07:00", 1700000000),
    ("2023-11-15T05:13:20+0700", 1700000000),
    ("2023-11-14T12:13:20.75-10", 1700000000),
    ("2023-11-15 05:13:20", 1700000000),  # local
    ("2023-11-15T05:13", 1699999980),
    ("2024-02-29T00:00Z", 1709164800),
])
def test_declare_times(site, text, at_s):
    site.run("declare", "--subject", SUBJECT, "--status", "green", "--at", text, env={**os.environ, "TZ": "<+07>-7"})
    assert site.rows()[0][2] == at_s


@pytest.mark.parametrize("option, value", [
    ("--subject", "022199012345"), ("--subject", "cccd:02219901234"), ("--subject", "cccd:0221990123456"),
    ("--subject", "cccd:02219901234x"), ("--subject", "CCCD:022199012345"),
    ("--status", "blue"), ("--status", "Green"), ("--status", "expired"), ("--status", "none"), ("--status", "revoked"),
    ("--at", "yesterday"), ("--at", "2026"), ("--at", "20260921"), ("--at", "2026-09-21"),
    ("--at", "2026-02-30T00:00Z"),
    ("--at", "2026-09-21T24:00Z"), ("--at", "2026-09-21T21:13:20+7"), ("--at", "2026-09-21T21:13:20 +07:00"),
    ("--at", "-1"), ("--at", "99999999999"),
])
def test_declare_refuses(site, option, value):
    words = {"--subject": SUBJECT, "--status": "green", option: value}
    said = site.run("declare", *[w for pair in words.items() for w in pair], status=2).stderr
    assert f"{option} '{value}': " in said
    assert not site.database.exists()


def test_future_declaration_is_refused(site):
    at_s = int(time.time()) + 3600
    said = site.run("declare", "--subject", SUBJECT, "--status", "green", "--at", at_s, status=2).stderr
    assert "in the future" in said and "clock" in said


def test_older_declaration_is_refused(site):
    site.run("declare", "--subject", SUBJECT, "--status", "red", "--at", "1700000000")
    done = site.run("declare", "--subject", SUBJECT, "--status", "green", "--at", "1699999999", status=1)
    assert "newer" in done.stderr
    assert site.rows()[0][1] == "red"


def test_site_key_must_be_there_and_private(site):
    site.key.chmod(0o644)
    assert "chmod 640" in site.run("declare", "--subject", SUBJECT, "--status", "green", status=1).stderr
    site.key.unlink()
    assert "key site" in site.run("declare", "--subject", SUBJECT, "--status", "green", status=1).stderr
    site.run("key", "site", "--out", site.key)
    assert stat.S_IMODE(site.key.stat().st_mode) == 0o600
    before = site.key.read_text()
    assert "never overwritten" in site.run("key", "site", "--out", site.key, status=1).stderr
    assert site.key.read_text() == before
    site.run("declare", "--subject", SUBJECT, "--status", "green")


def test_database_mode(site):
    site.run("declare", "--subject", SUBJECT, "--status", "green")
    assert stat.S_IMODE(site.database.stat().st_mode) & 0o007 == 0


# ---- import ----------------------------------------------------------------------------------------------------------

def subject(number):
    return f"cccd:{number:012d}"


def test_import_takes_all(site):
    path = site.csv(HEADER + "".join(f"{subject(i)},green,{1700000000 + i}\n" for i in range(25)))
    done = site.run("import", path)
    assert done.stdout == "25 rows taken\n" and done.stderr == ""
    assert len(site.rows()) == 25 and {row[3] for row in site.rows()} == {"import"}
    site.run("import", path)  # twice is once
    assert len(site.rows()) == 25


def test_import_lists_bad_rows_and_takes_the_rest(site):
    path = site.csv(HEADER
                    + f"{subject(1)},green,1700000000\n"          # 2
                    + f"{subject(2)},blue,1700000000\n"           # 3
                    + "022199012345,green,1700000000\n"           # 4
                    + f"{subject(3)},green,soon\n"                # 5
                    + f"{subject(4)},green\n"                     # 6
                    + f"{subject(5)},green,1700000000,x\n"        # 7
                    + f'{subject(6)},"gre"en,1700000000\n'        # 8
                    + f'{subject(7)},gr"een,1700000000\n'         # 9
                    + f"{subject(8)},\x1b[31m,1700000000\n"       # 10
                    + f"{subject(9)},green,{int(time.time()) + 86400}\n"  # 11
                    + "\n"                                        # 12, empty: skipped
                    + f"{subject(10)},red,1700000000")            # 13, without a line end
    done = site.run("import", path, status=3)
    assert done.stdout == "2 rows taken, 9 bad\n"
    lines = done.stderr.splitlines()
    assert [int(line.split(":")[1]) for line in lines] == [3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert all(line.startswith(f"{path}:") for line in lines)
    assert lines[0] == f"{path}:3: status 'blue': allowed are green, yellow, red"
    assert "subject '022199012345': allowed is cccd:" in lines[1]
    assert "declared_at 'soon': allowed is 2026-01-31T08:30" in lines[2]
    assert "2 fields" in lines[3] and "4 fields" in lines[4]
    assert "\x1b" not in done.stderr
    assert "in the future" in lines[8]
    assert [(row[0], row[1]) for row in site.rows()] == sorted(
        [(site.person(subject(1)), "green"), (site.person(subject(10)), "red")])


def test_import_reads_rfc4180(site):
    path = site.csv(b"\xef\xbb\xbf" + '"declared_at","subject",status\r\n'
                    f'"1700000000","{subject(1)}","green"\r\n'
                    f'2023-11-14T22:13:20Z,{subject(2)},yellow\r\n'
                    f'1700000000,"{subject(3)}","gr""een"\r\n'
                    f'1700000000,{subject(4)},"gr\r\neen"\r\n'
                    f'1700000000,{subject(5)},red\r\n'.encode())
    done = site.run("import", path, status=3)
    assert done.stdout == "3 rows taken, 2 bad\n"
    assert f"{path}:4: status 'gr\"een'" in done.stderr
    assert f"{path}:5: status 'gr?een'" in done.stderr


def test_unclosed_quote_costs_few_rows(site):
    rows = [f"{subject(i)},green,1700000000\n" for i in range(100)]
    rows[10] = f'"{subject(10)},green,1700000000\n'
    done = site.run("import", site.csv(HEADER + "".join(rows)), status=3)
    taken = int(done.stdout.split()[0])
    assert 85 <= taken < 100 and "people.csv:12: a quoted field without its closing quote" in done.stderr


def test_import_of_hostile_bytes(site):
    done = site.run("import", site.csv(HEADER.encode() + b"cccd:\xff\xfe,green,1\n" + b"a" * 100000 + b",green,1\n"
                                       + b"cccd:\x00,green,1\n" + b"," * 50 + b"\n"
                                       + f"{subject(1)},green,1700000000\n".encode()), status=3)
    assert done.stdout == "1 rows taken, 4 bad\n"
    assert "255 bytes" in done.stderr and "NUL" in done.stderr and "too many fields" in done.stderr


@pytest.mark.parametrize("text, said", [
    ("", "the first line must be subject,status,declared_at"),
    ("subject,status\n", "the first line must be"),
    ("subject,status,declared_at,name\n", "'name': the first line must be subject,status,declared_at"),
    ("subject,subject,declared_at\n", "the first line must be"),
    ("subject;status;declared_at\n", "commas"),
    (f"{SUBJECT},green,1700000000\n", "the first line must be"),
])
def test_import_header(site, text, said):
    assert said in site.run("import", site.csv(text), status=1).stderr


def test_import_missing_file(site):
    assert "nowhere.csv" in site.run("import", "nowhere.csv", status=1).stderr


def test_import_from_stdin(site):
    rows = f"{SUBJECT},green,1700000000\n{SUBJECT},purple,1700000000\n"
    done = site.run("import", "-", stdin=HEADER + rows, status=3)
    assert "stdin:3: status 'purple'" in done.stderr
    assert len(site.rows()) == 1


def test_older_rows_are_counted(site):
    site.run("declare", "--subject", SUBJECT, "--status", "red")
    done = site.run("import", site.csv(HEADER + f"{SUBJECT},green,1700000000\n"))
    assert done.stdout == "0 rows taken, 1 left out because the register has a newer declaration\n"
    assert site.rows()[0][1] == "red"


def test_large_import_in_batches(site):
    path = site.csv(HEADER + "".join(f"{subject(i)},green,1700000000\n" for i in range(25001)))
    assert site.run("import", path).stdout == "25001 rows taken\n"
    assert site.rows("SELECT count(*) FROM declaration") == [(25001,)]


def test_slow_pipe_holds_no_lock(site):
    site.run("declare", "--subject", SUBJECT, "--status", "green")
    with subprocess.Popen([str(CTL), "--database", str(site.database), "--site-key", str(site.key), "import", "-"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdin.write(HEADER + "".join(f"{subject(i)},green,1700000000\n" for i in range(10500)))
        process.stdin.flush()
        time.sleep(0.5)
        with sqlite3.connect(site.database, timeout=0.2) as db:
            db.execute("CREATE TABLE proof (x)")
        process.stdin.close()
        assert process.wait(20) == 0


def test_locked_database_is_explained(site):
    site.run("declare", "--subject", SUBJECT, "--status", "green", "--at", "1700000000")
    with sqlite3.connect(site.database, isolation_level=None) as db:
        db.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        said = site.run("declare", "--subject", SUBJECT, "--status", "red", status=1).stderr
        assert 1.5 < time.monotonic() - began < 10 and "another program holds it" in said
        db.execute("ROLLBACK")


def test_progress_bar_only_on_a_terminal(site):
    path = site.csv(HEADER + "".join(f"{subject(i)},green,1700000000\n" for i in range(6000)))
    main, child = pty.openpty()
    done = subprocess.run([str(CTL), "--database", str(site.database), "--site-key", str(site.key), "import",
                           str(path)], stderr=child, stdout=subprocess.PIPE, timeout=60)
    os.close(child)
    shown = os.read(main, 65536).decode()
    os.close(main)
    assert done.returncode == 0 and "%" in shown and "#" in shown
    assert site.run("import", path).stderr == ""


# ---- keys and tokens -------------------------------------------------------------------------------------------------

def new_key(site, *more, kid="office-2026", name="office", status=0):
    return site.run("key", "new", "--kid", kid, "--out", site.folder / f"{name}.key",
                    "--public", site.folder / f"{name}.pub", *more, status=status, plain=True)


def test_key_new_files(site):
    new_key(site, "--issuer", "Trạm y tế Ward 3")
    secret, public = site.folder / "office.key", site.folder / "office.pub"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert re.search(r"^kid: office-2026\nissuer: Trạm y tế Ward 3\ned25519: [0-9a-f]{64}\n", public.read_text(), re.M)
    seed = re.search(r"^ed25519-secret: ([0-9a-f]{64})$", secret.read_text(), re.M)
    assert seed and seed[1] not in public.read_text()


def test_keys_are_never_overwritten(site):
    new_key(site)
    before = (site.folder / "office.key").read_text()
    assert "never overwritten" in new_key(site, status=1).stderr
    assert (site.folder / "office.key").read_text() == before
    (site.folder / "half.pub").write_text("mine")
    assert "half.pub" in new_key(site, name="half", status=1).stderr
    assert not (site.folder / "half.key").exists() and (site.folder / "half.pub").read_text() == "mine"


@pytest.mark.parametrize("kid", ["with space", "12345678901234567", "é", "a/b"])
def test_bad_kid(site, kid):
    assert "1 to 16 of" in new_key(site, kid=kid, status=2).stderr


def issue(site, exit_status=0, **changes):
    words = {"key": site.folder / "office.key", "subject": SUBJECT, "status": "green", "valid": "72h", **changes}
    flat = [word for name, value in words.items() for word in (f"--{name}", value)]
    return site.run("token", "issue", *flat, status=exit_status, plain=True)


BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


def base45(text):
    out = bytearray()
    for i in range(0, len(text), 3):
        value = sum(BASE45.index(c) * 45 ** n for n, c in enumerate(text[i:i + 3]))
        out += value.to_bytes(2 if len(text[i:i + 3]) == 3 else 1, "big")
    return bytes(out)


def test_token_issue(site):
    new_key(site, "--issuer", "Ward 3")
    text = issue(site).stdout
    assert re.fullmatch(r"QG1:[0-9A-Z $%*+./:-]+\n", text) and len(text) < 260
    raw = base45(text[4:-1])
    assert b"office-2026" in raw and SUBJECT.encode() in raw and b"Ward 3" in raw and b"green" in raw
    named = base45(issue(site, name="Nguyễn Văn Thử").stdout[4:-1])
    assert "Nguyễn Văn Thử".encode() in named and len(named) > len(raw)


def test_token_without_issuer_takes_the_kid(site):
    new_key(site)
    assert base45(issue(site).stdout[4:-1]).count(b"office-2026") == 2


@pytest.mark.parametrize("changes, said", [
    ({"subject": "cccd:1"}, "--subject 'cccd:1'"),
    ({"subject": "two words"}, "--subject 'two words'"),
    ({"subject": "x" * 72}, "--subject 'xxx"),
    ({"status": "expired"}, "--status 'expired': allowed are green, yellow, red"),
    ({"valid": "72"}, "--valid '72': allowed is a number with s, m, h or d"),
    ({"valid": "59s"}, "--valid '59s'"), ({"valid": "367d"}, "--valid '367d'"), ({"valid": "h"}, "--valid 'h'"),
    ({"name": "x" * 128}, "--name 'xxx"), ({"name": "a\nb"}, "--name 'a?b'"),
])
def test_token_issue_refuses(site, changes, said):
    new_key(site)
    assert said in issue(site, exit_status=2, **changes).stderr


def test_token_needs_a_private_secret_key(site):
    new_key(site)
    said = issue(site, key=site.folder / "office.pub", exit_status=1).stderr
    assert "others may read" in said
    (site.folder / "office.pub").chmod(0o600)
    said = issue(site, key=site.folder / "office.pub", exit_status=1).stderr
    assert "office.pub:4: 'ed25519': this is the public file" in said
    assert "nowhere" in issue(site, key="nowhere", exit_status=1).stderr


# ---- the journal -----------------------------------------------------------------------------------------------------

FIELDS = "seq event_id kind at_us monotonic_us clock_trusted reason status credential".split()


def field(value):
    data = struct.pack(">q", value) if isinstance(value, int) else value if isinstance(value, bytes) else value.encode()
    return struct.pack(">I", len(data)) + data


def chain_hash(row, commitment, previous):
    """The canonical form of chain.h, written a second time from its description."""
    parts = ["qrgate event 1", previous, *(row[name] for name in FIELDS), commitment, row["bound_event_id"],
             row["alarm"], row["detail"]]
    return hashlib.sha256(b"".join(map(field, parts))).digest()


@pytest.fixture
def journal(site):
    """A journal of 12 rows, chained by this file, not by the program."""
    site.run("declare", "--subject", SUBJECT, "--status", "green")  # makes the database
    previous = bytes(32)
    with sqlite3.connect(site.database) as db:
        for seq in range(1, 13):
            row = dict(seq=seq, event_id=f"{seq:032x}", kind="granted", at_us=1790000000123456 + seq, monotonic_us=seq,
                       clock_trusted=seq % 2, reason="status_green", status="green", credential="cccd",
                       person=site.person() if seq % 3 else "", salt=bytes([seq] * 16), bound_event_id="", alarm="",
                       detail='a "quoted" \\ detail, Ủy ban' if seq == 5 else "")
            commitment = hashlib.sha256(row["salt"] + row["person"].encode()).digest()
            row.update(person_commitment=commitment, prev_hash=previous, hash=chain_hash(row, commitment, previous))
            db.execute(f"INSERT INTO event ({','.join(row)}) VALUES ({','.join('?' * len(row))})", list(row.values()))
            previous = row["hash"]
    site.last_hash = previous.hex()
    return site


def test_verify_agrees_with_an_independent_chain(journal):
    assert journal.run("verify").stdout == (f"12 rows, the chain holds (0 of them with the person erased); "
                                            f"last hash {journal.last_hash}\n")


@pytest.mark.parametrize("sql, seq", [
    ("UPDATE event SET detail = 'x' WHERE seq = 7", 7),
    ("UPDATE event SET person = '' WHERE seq = 4", 4),
    ("UPDATE event SET kind = 'nonsense' WHERE seq = 2", 2),
    ("DELETE FROM event WHERE seq = 9", 9),
])
def test_verify_finds_the_break(journal, sql, seq):
    with sqlite3.connect(journal.database) as db:
        db.execute(sql)
    assert f"broken at seq {seq}: " in journal.run("verify", status=1).stdout


def test_verify_holds_after_erasing(journal):
    with sqlite3.connect(journal.database) as db:
        db.execute("UPDATE event SET person = NULL, salt = NULL WHERE person = ?", [journal.person()])
    assert "12 rows, the chain holds (8 of them" in journal.run("verify").stdout
    assert "erased" in journal.run("events").stdout


def test_events(journal):
    lines = journal.run("events").stdout.splitlines()
    assert len(lines) == 12
    assert lines[0].split()[:3] == ["1", "2026-09-21T14:13:20.123457Z", "granted"]
    assert journal.person()[:8] in lines[0] and journal.person() not in lines[0]
    assert "?" in lines[1].split()[1]
    assert [line.split()[0] for line in journal.run("events", "--limit", 3).stdout.splitlines()] == ["10", "11", "12"]
    assert len(journal.run("events", "--limit", 0).stdout.splitlines()) == 12


def test_events_json(journal):
    rows = [json.loads(line) for line in journal.run("events", "--json").stdout.splitlines()]
    assert [row["seq"] for row in rows] == list(range(1, 13))
    assert rows[4]["detail"] == 'a "quoted" \\ detail, Ủy ban'
    assert rows[0] == {"seq": 1, "event_id": f"{1:032x}", "kind": "granted", "at": "2026-09-21T14:13:20.123457Z",
                       "at_us": 1790000000123457, "clock_trusted": True, "reason": "status_green", "status": "green",
                       "credential": "cccd", "person": journal.person(), "bound_event_id": "", "alarm": "",
                       "detail": "", "erased": False, "sent": False}


def test_events_need_a_journal(site):
    for command in "events", "verify":
        said = site.run(command, status=1).stderr
        assert str(site.database) in said and "--database" in said
    assert not site.database.exists()


def test_newer_database_is_refused(journal):
    with sqlite3.connect(journal.database) as db:
        db.execute("PRAGMA user_version = 99")
    said = journal.run("events", status=1).stderr
    assert "99" in said and "newer qrgate" in said


def test_full_disk_on_output_is_an_error(journal):
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(CTL), "--database", str(journal.database), "events"], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=20)
    assert done.returncode == 1 and "written" in done.stderr
