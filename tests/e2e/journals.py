"""Journals with made-up events, written by plain SQL into tables that the product made, as the lane's own rows look; and messages of
the same events as a subscriber writes them down."""
import datetime
import hashlib
import hmac
import json
import sqlite3
import subprocess

UTC = datetime.timezone.utc
STATUS_REASON = {"green": "status_green", "yellow": "status_yellow", "red": "status_red", "none": "no_declaration",
                 "expired": "status_expired"}


def person(number):
    return hashlib.sha256(f"person {number}".encode()).hexdigest()[:32]


def us(text):
    """'2026-11-16T08:00:00+07:00' -> microseconds."""
    return int(datetime.datetime.fromisoformat(text).timestamp() * 1_000_000)


def hashed(site_key, subject):
    return hmac.new(site_key, subject.encode(), hashlib.sha256).hexdigest()[:32]


class Journal:
    def __init__(self, path, build, lane, direction="none", sensor=True):
        self.path, self.ctl, self.lane, self.direction, self.sensor = path, build / "qrgatectl", lane, direction, sensor
        # A declaration of nobody's makes the file, its tables and triggers.
        key = path.with_suffix(".key")
        if not key.exists():
            key.touch(0o600)
            key.write_text("5a" * 32 + "\n")
        subprocess.run([self.ctl, "--database", path, "--site-key", key, "declare", "--subject", "badge:nobody", "--status", "green"],
                       check=True, stdout=subprocess.DEVNULL)
        self.key = key
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("INSERT OR REPLACE INTO about VALUES ('lane', ?)", [lane])
        self.seq = self.db.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()[0]

    def __enter__(self):
        self.db.execute("BEGIN")
        return self

    def __exit__(self, *failure):
        self.db.execute("ROLLBACK" if failure[0] else "COMMIT")

    def close(self):
        self.db.close()

    def event(self, at_us, kind, who="", reason="none", status="none", credential="unsupported", bound="", alarm="", detail="",
              verb="", operator="", direction=None, trusted=1):
        self.seq += 1
        event_id = hashlib.sha256(f"{self.lane} {self.seq}".encode()).hexdigest()[:32]
        of_a_person = kind in ("granted", "held", "denied", "override", "completed", "not_used", "interrupted")
        self.db.execute(
            "INSERT INTO event (seq, event_id, kind, at_us, monotonic_us, clock_trusted, reason, status, credential, person, salt, "
            "person_commitment, bound_event_id, alarm, detail, prev_hash, hash, sent, direction, scope, form, verb, operator_name) "
            "VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?, zeroblob(16), zeroblob(32), ?, ?, ?, zeroblob(32), zeroblob(32), 1, ?, 'none', 3, ?, ?)",
            (self.seq, event_id, kind, at_us, trusted, reason, status, credential, who, bound, alarm, detail,
             (direction or self.direction) if of_a_person else "none", verb, operator))
        if kind in ("completed", "not_used", "interrupted") and bound:
            self.db.execute("UPDATE event SET ending = 2 WHERE event_id = ?", [bound])
        if self.sensor and kind in ("granted", "override"):
            self.db.execute("UPDATE event SET ending = 1 WHERE event_id = ?", [event_id])
        if self.direction != "none" and who and (kind == "completed" if self.sensor else kind in ("granted", "override")):
            self.db.execute("INSERT OR REPLACE INTO presence VALUES (?, ?, ?, ?, ?, ?, ?, NULL, 0, 0)",
                            (who, int(self.direction == "in"), at_us, self.lane, event_id, at_us, self.direction))
        return event_id

    def passage(self, at_us, who, status="green", end="completed"):
        """A grant, and at a lane with a sensor its end, two seconds later: at_us is the passage's moment."""
        early = 2_000_000 if self.sensor else 0
        granted = self.event(at_us - early, "granted", who, STATUS_REASON[status], status, "cccd")
        if self.sensor:
            self.event(at_us, end, who, bound=granted)
        return granted

    def override(self, at_us, who, asked, detail="", operator="", verb=""):
        opened = self.event(at_us - 2_000_000 if self.sensor else at_us, "override", who, "operator" if operator else "button",
                            bound=asked, detail=detail, operator=operator, verb=verb)
        if self.sensor:
            self.event(at_us, "completed", who, bound=opened)
        return opened

    def messages(self, prefix="qrgate/demo"):
        """Lines as mosquitto_sub -v writes them."""
        self.db.row_factory = sqlite3.Row
        rows = self.db.execute("SELECT * FROM event ORDER BY seq").fetchall()
        self.db.row_factory = None
        lines = []
        for row in rows:
            alarm = row["kind"] in ("alarm_begin", "alarm_end", "start", "stop", "command")
            at = datetime.datetime.fromtimestamp(row["at_us"] / 1e6, UTC)
            body = {"schema": f"qrgate/{'alarm' if alarm else 'passage'}/1", "event_id": row["event_id"], "seq": row["seq"],
                    "kind": row["kind"], "at": at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z",
                    "monotonic_us": 0, "clock_trusted": bool(row["clock_trusted"])}
            if alarm:
                if row["kind"] != "command":
                    body["alarm"] = row["alarm"] or "lane"
            else:
                body |= {"reason": row["reason"], "status": row["status"]}
                if row["kind"] in ("granted", "held", "denied"):
                    body["credential"] = row["credential"]
                if row["person"]:
                    body["person"] = row["person"]
                if row["direction"] != "none":
                    body["direction"] = row["direction"]
            for name, column in (("bound_event_id", "bound_event_id"), ("verb", "verb"), ("operator", "operator_name")):
                if row[column]:
                    body[name] = row[column]
            if row["detail"] and row["kind"] in ("override", "command", "alarm_begin", "alarm_end"):
                body["detail"] = row["detail"]
            lines.append(f"{prefix}/{self.lane}/{'alarm' if alarm else 'passage'} {json.dumps(body, ensure_ascii=False)}\n")
        return lines


def ctl(build, *words, check=True, zone="Asia/Ho_Chi_Minh", lang="en", environment=None, **more):
    return subprocess.run([build / "qrgatectl", *map(str, words)], check=check, capture_output=True, text=True, timeout=120,
                          env={"PATH": "/usr/bin:/bin", "TZ": zone, "LANG": lang, **(environment or {})}, **more)

