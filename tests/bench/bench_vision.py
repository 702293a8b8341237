#!/usr/bin/python3
"""The vision's part of `make bench`: photographs, rendered limits, hostile walls, frames a second and instruction counts,
for the lane's reader and every other reader that is installed, in one run. Prints tables; all of it is in
BUILD/bench/vision.tsv and vision.html."""
import argparse
import collections
import concurrent.futures
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

import vision_page
import vision_targets

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHARSETS = ["utf-8", "latin-1", "cp1252", "shift_jis", "cp932", "cp437", "gb18030", "big5", "euc_kr",
            *(f"iso8859_{part}" for part in (2, 5, 7, 9, 15))]
KNOWN_WRONG = {"qrcode-2/13"}  # the truth file holds another text than the picture
PICTURES = (".png", ".jpg", ".jpeg")
CASES = ["flat", "scene", "texture", "still", "code", "code, still"]
BASE = "ZBar QR only"
PLAIN = "ZBar default"
REPEATED = "zbarimg's way"  # counts as ZBar default does
JPEG = "JPEG to gray"
LANE = "lane, living view"
PI_MHZ = 1500
PI_NOTE = (f"estimate for one core of a Pi 4, not measured on one: {PI_MHZ} MHz and one instruction a cycle, as a Cortex-A72 does "
           "in such loops; the instructions are those counted here, x86-64's SSE2 for its NEON")
POSSIBLE = "possible at all, of what is read by: no block has lost more bytes than its parity"
Row = collections.namedtuple("Row", "section case reader quantity value")


class Bench:
    def __init__(self, build, quick, rounds, trials):
        self.binary = pathlib.Path(build).resolve() / "bench_vision"
        self.quick, self.rounds, self.trials = quick, rounds, trials
        self.rows, self.absent, self.readers = [], {}, []

    def run(self, mode, number, *words, stdin=None, **more):
        done = subprocess.run([self.binary, mode, "quick" if self.quick else str(number), *words], stdout=subprocess.PIPE,
                              input=stdin, check=True, text=True, **more)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def add(self, section, case, reader, **quantities):
        self.rows += [Row(section, case, reader, quantity, value) for quantity, value in quantities.items()]

    def peers(self):
        for _, name, why in self.run("peers", 1):
            self.add("peer", "", name, absent=why or "no")
            if why:
                self.absent[name] = why
            else:
                self.readers.append(name)

    def empty(self):
        for _, ground, reader, us, read in self.run("empty", 4 * self.rounds):
            self.add("empty", ground, reader, ms=int(us) / 1000, read=int(read))

    def curves(self):
        for kind, knob, value, *more in self.run("curves", self.trials):
            if kind == "limit":
                self.add(POSSIBLE, value, knob, rate=int(more[1]) / int(more[0]))
                continue
            reader, trials, read, wrong, us = more
            self.add(f"curve: {knob}", value, reader, rate=int(read) / int(trials), trials=int(trials),
                     wrong=int(wrong), ms=int(us) / 1000)

    def walls(self):
        lines = self.run("walls", self.rounds)
        alone = {(case, reader): int(us) for _, case, reader, us, _ in lines}
        for _, case, reader, us, mean in lines:
            self.add("wall", case, reader, worst_ms=int(us) / 1000, mean_ms=int(mean) / 1000,
                     ratio=int(us) / alone[case, BASE])
            if (case, PLAIN) in alone:
                self.add("wall", case, reader, ratio_to_plain=int(us) / alone[case, PLAIN])

    def speed(self):
        for _, case, reader, fps, read, frames in self.run("speed", self.rounds):
            self.add("speed", case, reader, fps=float(fps), read=int(read), frames=int(frames))

    def instructions(self):
        """Millions a frame, the mean of four; the lane's in a living view. Counts don't mind what else runs: on all processors."""
        if not shutil.which("valgrind"):
            self.add("instructions", "", "", absent="valgrind is not installed")
            return
        readers = [reader for reader in self.readers
                   if reader != REPEATED and (not reader.startswith("lane, ") or reader == LANE)]
        with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            waiting = []
            for number, case in enumerate(CASES):
                made, kind = {"still": ("scene", "still"), "code, still": ("code", "still")}.get(case, (case, "moving"))
                frames = pathlib.Path(folder, str(number))
                with open(frames, "wb") as file:
                    subprocess.run([self.binary, "frames", "1", made], stdout=file, check=True)
                waiting += [(case, reader, pool.submit(self.instructions_of, reader, kind, frames))
                            for reader in readers + ([JPEG] if case == "code" else [])]
            for case, reader, million in waiting:
                self.add("instructions", case, reader, million=million.result())

    def instructions_of(self, reader, kind, frames):
        with open(frames, "rb") as file:
            done = subprocess.run(["valgrind", "--tool=callgrind", "--toggle-collect=bench_counted",
                                   "--collect-atstart=no", "--callgrind-out-file=/dev/null", self.binary, "count",
                                   "1", reader, kind], stdin=file, stderr=subprocess.PIPE, text=True, check=False,
                                  env={**os.environ, "QRG_BENCH_CLOCK": "stopped"})
        found = re.search(r"Collected : (\d+)", done.stderr)
        assert done.returncode == 0 and found, (reader, frames, done.stderr[-2000:])
        return int(found[1]) / 4 / 1e6


# ---- photographs -----------------------------------------------------------------------------------------------------

def unescape(text):
    codes = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
    return re.sub(r"\\(?:x([0-9A-Fa-f]{2})|([ntr\\]))", lambda m: chr(int(m[1], 16)) if m[1] else codes[m[2]], text)


def plain(text):
    return re.sub(r"\s+", " ", text).strip()


def versions(data):
    """What these bytes may mean."""
    found = set()
    for charset in CHARSETS:
        try:
            found.add(plain(data.decode(charset)))
        except UnicodeDecodeError:
            pass
    return found


class Truth:
    """The texts of a picture; None: nobody knows."""

    def __init__(self, text):
        self.unknown = text == "?"
        self.texts = []
        for one in [] if text in (None, "?") else text.split("\x1f"):
            readings = set()
            for form in (one, unescape(one)):
                readings.add(plain(form))
                try:  # \xNN may be bytes of a character
                    readings |= versions(form.encode("latin-1"))
                except UnicodeEncodeError:
                    pass
            self.texts.append(readings)

    def holds(self, data):
        return any(readings & versions(data) for readings in self.texts)


def photographs(folder):
    """{path: (set, kind, Truth)}"""
    found = {}
    for name in ("qrcode-2", "qrcode-4"):
        for path in sorted((folder / name).glob("*.*")):
            text = path.with_suffix(".txt")
            known = text.exists() and f"{name}/{path.stem}" not in KNOWN_WRONG
            if path.suffix.lower() in PICTURES and known:
                found[str(path)] = (name, name, Truth(text.read_bytes().decode("utf-8", "replace")))
    for line in (folder / "boofcv" / "truth.tsv").read_text(encoding="utf-8").split("\n"):
        name, _, text = line.partition("\t")
        if (folder / "boofcv" / name).is_file():
            found[str(folder / "boofcv" / name)] = ("boofcv", re.split(r"-\d", name)[0], Truth(text))
    for path in sorted((folder / "falsepositives-2").glob("*.*")):
        if path.suffix.lower() in PICTURES:
            found[str(path)] = ("falsepositives-2", "falsepositives-2", Truth(None))
    return found


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def photos(bench, folder):
    known = photographs(folder)
    if bench.quick:
        known = dict(list(known.items())[::12])
    looked = collections.defaultdict(list)  # (set, reader): (read, wrong, ms, megapixels, wrong of its own)
    lines = bench.run("photos", bench.rounds, stdin="".join(f"{path}\n" for path in known))
    plain_zbar = collections.defaultdict(set)  # path: what ZBar alone says, in any of its ways
    for _, path, reader, _, _, _, texts in lines:
        if reader.startswith("ZBar"):
            plain_zbar[path] |= set(texts.split(","))
    for _, path, reader, width, height, us, texts in lines:
        group, kind, truth = known[path]
        read = [bytes.fromhex(text) for text in texts.split(",")] if texts else []
        right = any(truth.holds(text) for text in read)
        wrong = not truth.unknown and any(not truth.holds(text) for text in read)
        own = not truth.unknown and any(not truth.holds(bytes.fromhex(text)) and text not in plain_zbar[path]
                                        for text in texts.split(",") if text)
        one = (right, wrong, int(us) / 1000, int(width) * int(height) / 1e6, own)
        for case in {group, f"{group}: {kind}", "all" if group != "falsepositives-2" else group}:
            if case != f"{group}: {group}":
                looked[case, reader].append(one)
    base = {case: statistics.median(one[2] for one in many) for (case, reader), many in looked.items()
            if reader == BASE}
    for (case, reader), many in looked.items():
        times = [one[2] for one in many]
        read = sum(one[0] for one in many)
        bench.add("photos", case, reader, pictures=len(many), read=read, rate=read / len(many),
                  wrong=sum(one[1] for one in many), wrong_of_its_own=sum(one[4] for one in many),
                  median_ms=statistics.median(times), p99_ms=percentile(times, 0.99),
                  ms_per_megapixel=sum(times) / sum(one[3] for one in many), ratio=statistics.median(times) / base[case])


# ---- tables ----------------------------------------------------------------------------------------------------------

def table(bench, section, columns, title, case=None):
    """Readers down, quantities (or cases) across."""
    cells = {(row.reader, row.case, row.quantity): row.value for row in bench.rows if row.section == section}
    if not cells:
        return
    print(f"\n{title}\n{'':24}" + "".join(f"{label:>14}" for label, *_ in columns))
    for reader in bench.readers:
        found = [cells.get((reader, case or at, quantity)) for _, at, quantity, _ in columns]
        if any(value is not None for value in found):
            print(f"{reader:24}" + "".join("             -" if value is None else f"{form % value:>14}"
                                            for value, (_, _, _, form) in zip(found, columns)))


def worst_walls(bench):
    for beside, quantity in ((BASE, "ratio"), (PLAIN, "ratio_to_plain")):
        ratios = {(row.reader, row.case): row.value for row in bench.rows
                  if row.section == "wall" and row.quantity == quantity}
        if not ratios:
            continue
        walls = len({case for _, case in ratios})
        print(f"\nhostile pictures: time of the costliest frame / {beside} on the same picture; the worst of {walls} (given up "
              "after 2 s)")
        for reader in bench.readers:
            mine = {case: value for (name, case), value in ratios.items() if name == reader}
            if mine:
                worst = max(mine, key=mine.get)
                print(f"{reader:24}{mine[worst]:14.2f}  {worst}")


def pi_estimate(bench):
    """What a frame takes on one core of a Pi 4, from the instructions alone: nobody has measured it there."""
    million = {(row.reader, row.case): row.value for row in bench.rows if row.section == "instructions"}
    if (JPEG, "code") not in million:
        return
    print("\n" + PI_NOTE)
    jpeg_ms = million[JPEG, "code"] * 1000 / PI_MHZ
    for case in CASES:
        if (LANE, case) in million:
            ms = million[LANE, case] * 1000 / PI_MHZ
            fps = 1000 / (ms + jpeg_ms)
            print(f"{case:24}{ms:8.1f} ms vision + {jpeg_ms:.1f} ms JPEG = {fps:.0f} frames a second")
            bench.add("Pi 4 (estimate)", case, LANE, ms=ms, jpeg_ms=jpeg_ms, fps=fps)


def tables(bench):
    number = "%.1f"
    cases = list(dict.fromkeys(row.case for row in bench.rows if row.section == "photos" and ":" not in row.case))
    if cases:
        for quantity, title in (("pictures", "photographs"), ("read", "of these read"),
                                ("wrong", "of these with a wrong text"),
                                ("wrong_of_its_own", "of these with a wrong text that ZBar alone doesn't give")):
            table(bench, "photos", [(case[:13], case, quantity, "%d") for case in cases], title)
        table(bench, "photos", [("rate", "all", "rate", "%.3f"), ("median ms", "all", "median_ms", "%.2f"),
                                ("p99 ms", "all", "p99_ms", number), ("ms/MP", "all", "ms_per_megapixel", number),
                                ("ratio", "all", "ratio", "%.3f")], "all photographs with a code")
    table(bench, "empty", [(ground, ground, "ms", "%.2f") for ground in ("flat", "scene", "texture", "still")],
          "empty frames, ms")
    table(bench, "instructions", [(case, case, "million", "%.2f") for case in CASES],
          "million instructions a frame (callgrind)")
    pi_estimate(bench)
    table(bench, "speed", [(case, case, "fps", number) for case in ("moving", "still", "code")],
          "frames a second, 1280x720 MJPEG in, payload out")
    for section in dict.fromkeys(row.section for row in bench.rows if row.section.startswith("curve")):
        values = list(dict.fromkeys(row.case for row in bench.rows if row.section == section))
        table(bench, section, [(value, value, "rate", "%.2f") for value in values], f"read, by {section[7:]}")
        possible = [row.value for row in bench.rows if row.section == POSSIBLE and row.reader == section[7:]]
        if possible:
            print(f"{'possible: lost <= parity':24}" + "".join(f"{value:14.2f}" for value in possible))
    worst_walls(bench)
    found = [] if bench.quick else vision_targets.outcomes(bench.rows)
    print("\nasked, and measured here" if found else "")
    for outcome in found:
        print(f"{outcome.what:76}{outcome.bound:>10}{outcome.value:10.3f}  {'met' if outcome.met else 'NOT MET'}")
    for name, why in bench.absent.items():
        print(f"absent: {name}: {why}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--quick", action="store_true", help="few pictures, seconds")
    parser.add_argument("--photos", default=os.environ.get("QRG_PHOTOS", ROOT.parent / "shared" / "photos"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--parts", default="photos,empty,curves,walls,speed,instructions")
    arguments = parser.parse_args()
    bench = Bench(arguments.build, arguments.quick, arguments.rounds, arguments.trials)
    folder = pathlib.Path(arguments.photos)
    bench.peers()
    for part in arguments.parts.split(","):
        if part != "photos":
            getattr(bench, part)()
        elif (folder / "boofcv" / "truth.tsv").exists():
            photos(bench, folder)
        else:
            bench.add("photos", "", "", absent=f"no photographs at {folder}; QRG_PHOTOS names their folder")
            print(f"photographs: none at {folder}; QRG_PHOTOS names their folder")
    tables(bench)
    out = pathlib.Path(arguments.build) / "bench"
    out.mkdir(exist_ok=True)
    lines = ("\t".join(f"{cell:.6g}" if isinstance(cell, float) else str(cell) for cell in row)
             for row in [Row._fields, *bench.rows])
    (out / "vision.tsv").write_text("".join(line + "\n" for line in lines))
    (out / "vision.html").write_text(vision_page.page(bench, {"Pi 4 (estimate)": PI_NOTE}))
    print(f"\nall of it: {out}/vision.tsv, with plots: {out}/vision.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
