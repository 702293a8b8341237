"""The vision's bench in its quick form, so that it can't rot, and those of its ratios that hold on any machine: all of one run, in
processor time."""
import collections
import os
import re
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCH = ROOT / "tests" / "bench"
sys.path.insert(0, str(BENCH))
import bench_vision  # noqa: E402
import vision_targets  # noqa: E402

LANE = ["lane, first look", "lane, eight looks", "lane, living view"]
ZBAR = "ZBar QR only"


class Results:
    def __init__(self, path, said):
        head, *lines = path.read_text().splitlines()
        assert head.split("\t") == list(bench_vision.Row._fields)
        self.said, self.cells = said, {}
        for line in lines:
            section, case, reader, quantity, value = line.split("\t")
            assert (section, case, reader, quantity) not in self.cells, line
            self.cells[section, case, reader, quantity] = value

    def value(self, section, case, reader, quantity):
        return float(self.cells[section, case, reader, quantity])

    def cases(self, section):
        return list(dict.fromkeys(at[1] for at in self.cells if at[0] == section))

    def sections(self):
        return list(dict.fromkeys(at[0] for at in self.cells))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    build, folder = ROOT / os.environ.get("QRG_BUILD", "build"), tmp_path_factory.mktemp("bench")
    shutil.copy(build / "bench_vision", folder)  # results go beside the program
    done = subprocess.run(["/usr/bin/python3", BENCH / "bench_vision.py", "--build", folder, "--quick", "--photos", folder / "none",
                           "--parts", "photos,empty,curves,walls"], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return Results(folder / "bench" / "vision.tsv", done.stdout), (folder / "bench" / "vision.html").read_text()


@pytest.mark.unsanitized
def test_every_part_has_figures(results):
    found, _ = results
    curves = [section for section in found.sections() if section.startswith("curve: ")]
    assert len(curves) >= 10
    for section in curves:
        assert len(found.cases(section)) == 2
        for case in found.cases(section):
            for reader in [*LANE, ZBAR]:
                assert 0 <= found.value(section, case, reader, "rate") <= 1 and found.value(section, case, reader, "ms") >= 0
    assert found.cases("empty") == ["flat", "scene", "texture", "still"]
    assert len(found.cases("wall")) >= 3
    for case in found.cases("wall"):
        assert found.value("wall", case, ZBAR, "ratio") == 1 and found.value("wall", case, LANE[2], "ratio") > 0
    assert "no photographs" in found.cells["photos", "", "", "absent"] and "photographs: none at" in found.said


@pytest.mark.unsanitized
def test_what_is_absent_is_named(results):
    found, _ = results
    known = {at[2]: value for at, value in found.cells.items() if at[0] == "peer"}
    assert {*LANE, "ZBar default", ZBAR, "zbarimg's way", "quirc", "zxing-cpp", "OpenCV"} <= set(known)
    for reader, why in known.items():
        assert (why == "no") == (reader in [*LANE, ZBAR]), (reader, why)
        assert why == "no" or f"absent: {reader}: {why}" in found.said


@pytest.mark.unsanitized
def test_the_lane_reads_what_zbar_reads(results):
    found, _ = results
    for section in found.sections():
        for case in found.cases(section) if section.startswith("curve: ") else []:
            lane = found.value(section, case, "lane, eight looks", "rate")
            assert lane >= found.value(section, case, ZBAR, "rate"), (section, case)
            assert found.value(section, case, "lane, eight looks", "wrong") == 0
        if section.startswith("curve: "):
            easy = found.cases(section)[0]
            assert [found.value(section, easy, reader, "rate") for reader in [*LANE, ZBAR]] == [1] * 4, (section, easy)


@pytest.mark.unsanitized
def test_an_unchanged_frame_costs_next_to_nothing(results):
    found, _ = results
    assert found.value("empty", "still", "lane, living view", "ms") < found.value("empty", "still", ZBAR, "ms") / 50
    for ground in ("flat", "scene"):  # and an empty one that moved little
        assert found.value("empty", ground, "lane, living view", "ms") < found.value("empty", ground, ZBAR, "ms") / 4
    for ground in found.cases("empty"):
        assert found.value("empty", ground, "lane, eight looks", "read") == 0


EMPTY_MILLION = 11  # of a frame in which nothing is, on any ground; of one like the last a 200th


@pytest.mark.unsanitized
@pytest.mark.native("valgrind would count the emulator's instructions")
@pytest.mark.parametrize("ground,kind,most", [("flat", "moving", EMPTY_MILLION), ("scene", "moving", EMPTY_MILLION),
                                              ("texture", "moving", EMPTY_MILLION), ("scene", "still", EMPTY_MILLION / 200)])
def test_an_empty_view_costs_few_instructions(tmp_path, ground, kind, most):
    """Counted by callgrind, which is the same on a busy machine."""
    build = ROOT / os.environ.get("QRG_BUILD", "build")
    shutil.copy(build / "bench_vision", tmp_path)
    bench = bench_vision.Bench(tmp_path, False, 1, 1)
    frames = tmp_path / "frames"
    with open(frames, "wb") as file:
        subprocess.run([bench.binary, "frames", "1", ground], stdout=file, check=True, timeout=60)
    assert 0 < bench.instructions_of("lane, living view", kind, frames) <= most


def test_what_is_asked_is_judged():
    row, living = bench_vision.Row, "lane, living view"
    rows = [row("photos", "all", "lane, first look", "rate", 0.8), row("photos", "all", "lane, two looks", "rate", 0.86),
            row("instructions", "scene", living, "million", 11.1), row("curve: tilt, degrees", "50", "lane, first look", "rate", 1.0),
            row("wall", "easy", living, "ratio", 0.1), row("wall", "hard", living, "ratio", 0.34)]
    found = [(one.value, one.met) for one in vision_targets.outcomes(rows)]
    assert found == [(0.8, False), (0.86, True), (11.1, False), (1.0, True), (0.34, False)]
    source = (BENCH / "vision_parts.c").read_text()
    for target in vision_targets.TARGETS:  # each is of a point that is measured
        if target.section.startswith("curve: "):
            line = next(line for line in source.splitlines() if f'{{"{target.section[7:]}",' in line)
            assert target.case in re.split(r"[{}, ]+", line), target


@pytest.mark.unsanitized
def test_the_page_stands_alone(results):
    found, page = results
    assert page.count("<svg") >= 10 + 4 and "<polyline" in page
    for word in ("<script", "http:", "https:", "src=", "@import"):
        assert word not in page
    for reader in [*LANE, ZBAR.replace("'", "&#x27;")]:
        assert reader in page


def test_truth_is_tolerant_of_charsets_and_escapes():
    truth = bench_vision.Truth
    assert truth("caf\u00e9").holds("café".encode()) and truth("café").holds("café".encode("latin-1"))
    assert truth("テスト").holds("テスト".encode("shift_jis")) and truth("тест").holds("тест".encode("iso8859_5"))
    assert truth(r"a\nb").holds(b"a\r\nb") and truth(r"a\tb").holds(b"a b") and truth(r"a\nb").holds(rb"a\nb")
    assert truth(r"\xc3\xa9").holds("é".encode()) and truth(r"\x00\x01").holds(b"\0\1")
    assert truth("one\x1ftwo").holds(b"two") and truth("one\x1ftwo").holds(b"one") and not truth("one\x1ftwo").holds(b"onetwo")
    assert not truth("abc").holds(b"abd") and not truth("abc").holds(b"")
    assert truth("?").unknown and not truth("?").holds(b"?") and not truth(None).holds(b"x") and not truth(None).unknown


def test_photographs_are_found_by_set(tmp_path):
    for name in ("boofcv", "qrcode-2", "qrcode-4", "falsepositives-2"):
        (tmp_path / name).mkdir()
    (tmp_path / "boofcv" / "truth.tsv").write_text("glare-001.jpg\tA\nlots-002.jpg\t?\ngone-003.jpg\tB\n")
    for name in ("boofcv/glare-001.jpg", "boofcv/lots-002.jpg", "qrcode-2/1.png", "qrcode-2/13.png", "qrcode-4/no-truth.png",
                 "falsepositives-2/5.png"):
        (tmp_path / name).write_bytes(b"")
    for name in ("qrcode-2/1.txt", "qrcode-2/13.txt"):
        (tmp_path / name).write_text("text")
    found = bench_vision.photographs(tmp_path)
    kinds = collections.Counter((group, kind, truth.unknown, len(truth.texts)) for group, kind, truth in found.values())
    assert kinds == {("boofcv", "glare", False, 1): 1, ("boofcv", "lots", True, 0): 1, ("qrcode-2", "qrcode-2", False, 1): 1,
                     ("falsepositives-2", "falsepositives-2", False, 0): 1}
