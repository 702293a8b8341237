#!/usr/bin/python3
"""A made-up factory's two lanes over two weeks of November 2026, for the sample pages in this folder, for looking at printed pages
and for the tests. Nobody in it exists.

    sample_site.py FOLDER [--build build]     writes in.db, out.db, site.conf and staff.csv there
    sample_site.py --pages                    writes sample-report.html, sample-trace.html and sample-muster.html here"""
import argparse
import pathlib
import random
import re
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
from journals import Journal, ctl, hashed, us  # noqa: E402

DAY, HOUR, MINUTE, SECOND = 86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000
MONDAY = us("2026-11-09T00:00:00+07:00")
SITE_KEY = bytes([0x5a] * 32)
FAMILY, MIDDLE, GIVEN = (text.split() for text in (
    "Nguyễn Trần Lê Phạm Hoàng Vũ Đặng Bùi Đỗ Ngô Dương Lý", "Văn Thị Đức Minh Thu Ngọc Quang Hữu", "Mẫu Thử Ví Dụ An Bình Hà Sơn Lan Hải"))
GROUPS = ["Ca 1", "Ca 2", "Văn phòng", "Bảo vệ"]
CONFIG = """site = "thu-nghiem"; lane = "cong-vao";
place = {{ kind = "factory"; name = "Nhà máy Thử Nghiệm Hà An"; address = "Khu 2, phường Hà An, Quảng Yên, Quảng Ninh";
  zone = "Asia/Ho_Chi_Minh"; language = "vi"; }};
lines = {{ driver = "sim"; }};
journal = {{ path = "{folder}/in.db"; site_key_file = "{folder}/in.key"; }};
"""


def staff(count=120):
    rng = random.Random(1)
    return [(f"badge:m{i:03d}", f"{rng.choice(FAMILY)} {rng.choice(MIDDLE)} {rng.choice(GIVEN)} {i}", GROUPS[min(i % 5, 3)]) for i in range(count)]


def worker_days(rng, people):
    """(time, who, direction) of everybody's days, in order."""
    found = []
    for day in range(14):
        for subject, _, group in people:
            weekend = day % 7 >= 5
            if rng.random() > (.25 if weekend else .93):
                continue
            begin = {"Ca 1": 6, "Ca 2": 14, "Văn phòng": 7.5, "Bảo vệ": 18}[group]
            at = MONDAY + day * DAY + int(begin * HOUR) - int(abs(rng.gauss(12, 9)) * MINUTE) - rng.randrange(60) * SECOND
            found.append((at, hashed(SITE_KEY, subject), "in"))
            if group != "Văn phòng" or rng.random() > .3:
                found.append((at + int((8.2 + rng.random() * .4) * HOUR) + rng.randrange(60) * SECOND, hashed(SITE_KEY, subject), "out"))
                continue
            noon = MONDAY + day * DAY + int(11.6 * HOUR) + rng.randrange(1500) * SECOND
            found += [(noon, hashed(SITE_KEY, subject), "out"), (noon + rng.randrange(40, 70) * MINUTE, hashed(SITE_KEY, subject), "in"),
                      (at + int(9.5 * HOUR) + rng.randrange(1200) * SECOND, hashed(SITE_KEY, subject), "out")]
    return sorted(found)


def refuse(rng, lane, at, who):
    """Now and then somebody isn't let in at first."""
    luck = rng.random()
    if luck < .010:
        asked = lane.event(at - 20 * SECOND, "held", who, "no_declaration", "none", "cccd")
        if rng.random() < .7:
            lane.override(at, who, asked, rng.choice(["guard A", "guard B"]))
            return True
    elif luck < .018:
        asked = lane.event(at - 20 * SECOND, "held", who, "status_expired", "expired", "site_token")
        lane.override(at, who, asked, rng.choice(["guard A", "guard B"]))
        return True
    elif luck < .022:
        lane.event(at - 30 * SECOND, "denied", "", "code_unsupported", "none", "unsupported")
    elif luck < .026:
        lane.event(at, "denied", who, "status_red", "red", "cccd")
        return True
    elif luck < .030:
        asked = lane.event(at - 25 * SECOND, "held", who, "status_yellow", "yellow", "cccd")
        lane.override(at, who, asked, operator="control.room", verb="open", detail="bác sĩ đã khám tại cổng")
        return True
    elif luck < .033:
        lane.passage(at - 40 * SECOND, who, end="not_used")
    return False


def make(folder, build, until=MONDAY + 14 * DAY):
    """`until`: nothing is written that came later."""
    folder.mkdir(exist_ok=True)
    rng, people = random.Random(47), staff()
    lanes = {"in": Journal(folder / "in.db", build, "cong-vao", "in"), "out": Journal(folder / "out.db", build, "cong-ra", "out")}
    (folder / "staff.csv").write_text("".join(f"{subject},{name}\n" for subject, name, _ in people))
    rows = "".join(f"{subject},green,2026-11-09T05:00+07:00,{group}\n" for subject, _, group in people)
    (folder / "people.csv").write_text("subject,status,declared_at,group\n" + rows)
    for lane in lanes.values():
        ctl(build, "--database", lane.path, "--site-key", lane.key, "import", folder / "people.csv")
        lane.db.execute("BEGIN")
        lane.event(MONDAY + 4 * HOUR, "start", alarm="lane")
    for at, who, direction in worker_days(rng, people):
        if at >= until:
            break
        if direction == "out" or not refuse(rng, lanes["in"], at, who):
            lanes[direction].passage(at, who)
    if until >= MONDAY + 14 * DAY:
        alarms(lanes)
    for lane in lanes.values():
        lane.db.execute("COMMIT")
        lane.close()
    (folder / "site.conf").write_text(CONFIG.format(folder=folder))


def alarms(lanes):
    lanes["in"].event(MONDAY + 8 * DAY + 13 * HOUR, "alarm_begin", alarm="camera_lost", detail="the camera gives no pictures")
    lanes["in"].event(MONDAY + 8 * DAY + 13 * HOUR + 6 * MINUTE, "alarm_end", alarm="camera_lost")
    lanes["out"].event(MONDAY + 11 * DAY + 22 * HOUR, "alarm_begin", alarm="tailgating")
    lanes["out"].event(MONDAY + 11 * DAY + 22 * HOUR + SECOND, "alarm_end", alarm="tailgating")


def pages(folder, build):
    """{file name: its text}, without the moment they were made."""
    common = ["--config", folder / "site.conf"]
    journals = ["--journal", folder / "in.db", "--journal", folder / "out.db"]
    noon = folder / "noon"  # the same site on a Wednesday at half past ten
    make(noon, build, MONDAY + 9 * DAY + 10 * HOUR + 30 * MINUTE)
    texts = {
        "sample-report.html": ctl(build, *common, "report", "week", "--iso", "2026-W47", *journals, "--format", "html").stdout,
        "sample-report.md": ctl(build, *common, "report", "week", "--iso", "2026-W47", *journals).stdout,
        "sample-trace.html": ctl(build, *common, "--lang", "vi", "trace", "badge:m017", "--since", "2026-11-18T00:00", "--until",
                                 "2026-11-19T00:00", "--window", "5m", *journals, "--degree", "1", "--subjects", folder / "staff.csv",
                                 "--format", "html").stdout,
        "sample-muster.html": ctl(build, *common, "--lang", "vi", "muster", "--journal", noon / "in.db", "--journal", noon / "out.db", "--subjects", folder / "staff.csv", "--format",
                                  "html").stdout}
    assert all(str(folder) not in text for text in texts.values())
    return {name: re.sub(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d \+07:00", "2026-11-23 05:00:00 +07:00", text) for name, text in texts.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent.parent / "build")
    parser.add_argument("--pages", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="qrgate-sample-") as scratch:
        folder = arguments.folder or pathlib.Path(scratch)
        make(folder, arguments.build.resolve())
        if arguments.pages:
            for name, text in pages(folder, arguments.build.resolve()).items():
                (HERE / name).write_text(text)


if __name__ == "__main__":
    main()
