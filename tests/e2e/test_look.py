"""qrgatectl look, the built program, on made-up pictures: formats, every way of printing, what is drawn, and what a stranger's file
may try."""
import json
import math
import pathlib
import re
import struct
import subprocess
import sys
import zlib

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import gate  # noqa: E402

CARD = "022199012345|100200300|Nguyễn Thị Bích Phượng|15081999|Nữ|Quảng Yên|01082022"
SIDE_MAX = 4096
STAGES = ["gate", "search", "rectify", "decode"]


def raster(payload, width=400, height=300, module=4, inverted=False, ground=200):
    """Rows of gray levels with the code in the middle."""
    dark, light = (230, 30) if inverted else (30, 230)
    code = gate.matrix(payload)  # with its white margin
    side = len(code)
    left, top = (width - side * module) // 2, (height - side * module) // 2
    rows = [bytearray([ground]) * width for _ in range(height)]
    for y in range(side * module):
        for x in range(side * module):
            rows[top + y][left + x] = dark if code[y // module][x // module] else light
    return rows


def pgm(rows):
    return b"P5\n%d %d\n255\n" % (len(rows[0]), len(rows)) + b"".join(rows)


def png(rows):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
            + chunk(b"IEND", b""))


def jpeg(rows):
    """The simplest there is: every block of 8x8 pixels has one level (that of its first pixel)."""
    def segment(mark, data):
        return bytes([0xFF, mark]) + struct.pack(">H", len(data) + 2) + data
    sizes = list(range(12))  # of a difference, in bits: twelve codes of four bits
    bits, last = [], 0
    for y in range(0, len(rows), 8):
        for x in range(0, len(rows[0]), 8):
            level = rows[y][x] - 128  # quantised by 8: the block's sum over 8 is eight times the level
            change, last = level - last, level
            size = abs(change).bit_length()
            bits += [f"{size:04b}", f"{change if change > 0 else change + (1 << size) - 1:0{size}b}" if size else "", "0"]
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    data = bytes(int(text[i:i + 8], 2) for i in range(0, len(text), 8)).replace(b"\xff", b"\xff\0")
    return (b"\xff\xd8" + segment(0xDB, b"\0" + bytes([8]) + bytes([1] * 63))
            + segment(0xC0, struct.pack(">BHHB", 8, len(rows), len(rows[0]), 1) + b"\1\x11\0")
            + segment(0xC4, b"\0" + bytes([0, 0, 0, 12] + [0] * 12) + bytes(sizes))
            + segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\0")
            + segment(0xDA, b"\1\1\0\0\x3f\0") + data + b"\xff\xd9")


def unpack_png(path):
    """Width, and rows of (r, g, b); eight bits, three channels."""
    data, at, packed = path.read_bytes(), 8, b""
    while at < len(data):
        size, name = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        if name == b"IHDR":
            width, height, depth, colours = struct.unpack(">IIBB", body[:10])
            assert (depth, colours) == (8, 2)
        packed += body if name == b"IDAT" else b""
        at += size + 12
    raw, stride, rows, before = zlib.decompress(packed), 3 * width, [], bytes(3 * width)
    for y in range(height):
        kind, row = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for i in range(stride):
            a, b, c = (row[i - 3] if i >= 3 else 0), before[i], (before[i - 3] if i >= 3 else 0)
            near = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
            row[i] = (row[i] + (0, a, b, (a + b) // 2, near)[kind]) & 255
        rows.append([tuple(row[i:i + 3]) for i in range(0, stride, 3)])
        before = row
    return rows


class Desk:
    def __init__(self, folder, build):
        self.folder, self.ctl = folder, build / "qrgatectl"

    def put(self, name, data):
        (self.folder / name).write_bytes(data)
        return name

    def look(self, *words, status=0):
        done = subprocess.run([str(word) for word in (self.ctl.resolve(), "look", *words)], cwd=self.folder, capture_output=True,
                              timeout=120)
        assert done.returncode == status, (words, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
        return done

    def objects(self, *words, status=0):
        return [json.loads(line) for line in self.look("--json", *words, status=status).stdout.splitlines()]


@pytest.fixture
def desk(tmp_path, build):
    return Desk(tmp_path, build)


@pytest.mark.parametrize("name,form,module", [("a.png", png, 4), ("b.pgm", pgm, 4), ("c.jpg", jpeg, 8), ("no ending", png, 3)])
def test_every_format_is_read(desk, name, form, module):
    done = desk.look(desk.put(name, form(raster(CARD, 408, 408, module))))
    lines = done.stdout.decode().splitlines()
    assert done.stderr == b""
    assert lines[0] == f"{name}: 408 x 408 px, read"
    assert lines[1] == f"  payload      {CARD}"
    assert re.fullmatch(r"  corners    (  -?\d+,-?\d+){4}", lines[2])
    assert re.fullmatch(r"  read by      look [1-8]: \w.*", lines[3])
    assert re.fullmatch(r"  time         [\d.]+ ms: " + ", ".join(rf"{stage} [\d.]+" for stage in STAGES), lines[4])
    assert len(lines) == 5


def test_json_says_all(desk):
    desk.put("a.png", png(raster(CARD)))
    desk.put("gray.pgm", pgm([bytearray([128]) * 320] * 240))
    read, empty = desk.objects("a.png", "gray.pgm")
    assert set(read) == set(empty) == {"file", "width_px", "height_px", "read", "codes", "hint", "region", "stage_us", "total_us"}
    assert (read["file"], read["width_px"], read["height_px"], read["read"], read["hint"]) == ("a.png", 400, 300, True, "none")
    code, = read["codes"]
    assert code["payload"] == CARD and bytes.fromhex(code["payload_hex"]).decode() == CARD
    assert 1 <= code["look"] <= 8 and code["how"]
    side = 4 * (len(gate.matrix(CARD)) - 2 * 4)
    for right, down in ((0, 0), (1, 0), (1, 1), (0, 1)):
        place = ((400 - side) / 2 + right * side, (300 - side) / 2 + down * side)
        assert min(math.dist(place, corner) for corner in code["corners"]) < 8
    assert sorted(read["stage_us"]) == sorted(STAGES) and all(value >= 0 for value in read["stage_us"].values())
    assert read["total_us"] == sum(read["stage_us"].values()) > 0
    assert (empty["read"], empty["codes"], empty["hint"], empty["region"]) == (False, [], "none", None)


def test_inverted_codes_are_read(desk):
    one, = desk.objects(desk.put("dark-mode.png", png(raster("dark mode", inverted=True, ground=20))))
    assert one["codes"][0]["payload"] == "dark mode"


@pytest.mark.parametrize("payload,shown", [
    (b"a\\b\tc\nd\re", r"a\\b\tc\nd\re"),
    (b"\x1b[31mred\x07\x00\xff", r"\x1b[31mred\x07\x00\xff"),
    ("right\u202eleft\u009b1m".encode(), r"right\xe2\x80\xaeleft\xc2\x9b1m"),
    ("Bùi Đình Trang\n".encode(), "Bùi Đình Trang\\n"),
    (b"cut \xe1\xba", r"cut \xe1\xba"),
])
def test_a_payload_can_do_nothing_to_a_terminal(desk, payload, shown):
    desk.put("a.png", png(raster(payload)))
    text = desk.look("a.png").stdout.decode()
    assert text.splitlines()[1] == f"  payload      {shown}"
    assert not [c for c in text if ord(c) < 0x20 and c != "\n" or 0x7F <= ord(c) < 0xA0 or c == "\u202e"]
    line = desk.look("--json", "a.png").stdout
    code, = json.loads(line)["codes"]
    assert bytes.fromhex(code["payload_hex"]) == payload
    plain = b"\xff" not in payload and b"\xe2" not in payload and not payload.endswith(b"\xba")
    assert code["payload"] == (payload.decode() if plain else None)
    assert b"\x1b" not in line and b"\xc2\x9b" not in line


def test_the_exit_status_tells_whether_any_was_read(desk):
    desk.put("a.png", png(raster(CARD)))
    desk.put("gray.pgm", pgm([bytearray([128]) * 320] * 240))
    assert "nothing that looks like a code" in desk.look("gray.pgm", status=1).stdout.decode()
    desk.look("gray.pgm", "a.png", status=0)
    done = desk.look("no-such.png", "a.png", status=0)
    assert b"a.png: 400 x 300 px, read" in done.stdout
    assert done.stderr.decode().startswith("qrgatectl look: no-such.png: No such file")


BROKEN = {
    "empty.png": (b"", "no PNG, JPEG or PGM"),
    "text.txt": (b"not a picture at all", "no PNG, JPEG or PGM"),
    "cut.png": (png(raster(CARD))[:900], "no PNG, JPEG or PGM"),
    "cut.jpg": (jpeg(raster(CARD))[:200], "no PNG, JPEG or PGM"),
    "wide.pgm": (b"P5 %d 1 255\n" % (SIDE_MAX + 1) + bytes(SIDE_MAX + 1), "larger than 4096 px on a side"),
    "heavy.png": (png([bytearray(4)] * 4) + bytes(8 << 20), "8 MB and more; make it smaller"),
    "wide.png": (png([bytearray(SIDE_MAX + 1)]), "larger than 4096 px on a side"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_files_that_are_no_pictures(desk, name):
    data, said = BROKEN[name]
    desk.put(name, data)
    done = desk.look(name, status=1)
    assert done.stdout == b"" and said in done.stderr.decode() and done.stderr.startswith(b"qrgatectl look: " + name.encode())
    one, = desk.objects(name, status=1)
    assert one["file"] == name and one["read"] is False and said in one["error"]


def test_the_largest_picture_is_looked_at(desk):
    rows = raster(CARD, SIDE_MAX, 200, 3)
    one, = desk.objects(desk.put("panorama.pgm", pgm(rows)))
    assert one["width_px"] == SIDE_MAX and one["codes"][0]["payload"] == CARD


def test_folders_and_pipes_are_no_pictures(desk):
    assert "a folder; name the pictures in it" in desk.look(".", status=1).stderr.decode()
    assert "no PNG, JPEG or PGM" in desk.look("/dev/null", status=1).stderr.decode()


@pytest.mark.parametrize("words,said", [
    ([], "FILE... is missing"), (["--looks", "0", "a.png"], "allowed is 1 to 8"), (["--looks", "9", "a.png"], "allowed is 1 to 8"),
    (["--looks", "2x", "a.png"], "allowed is 1 to 8"), (["--annotate", "nowhere", "a.png"], "no such folder; make it first"),
    (["--look", "a.png"], "unknown option"),
])
def test_usage(desk, words, said):
    desk.put("a.png", png(raster(CARD)))
    done = desk.look(*words, status=2)
    assert said in done.stderr.decode() and done.stdout == b""


def test_options_may_stand_between_files(desk):
    for name in ("a.png", "b.png", "--json.png"):
        desk.put(name, png(raster(name)))
    found = desk.objects("a.png", "--looks", "1", "b.png", "--", "--json.png")
    assert [one["codes"][0]["payload"] for one in found] == ["a.png", "b.png", "--json.png"]
    assert {one["codes"][0]["look"] for one in found} == {1}


def test_names_of_files_are_strangers_too(desk):
    name = "evil\x1b[31m.png"
    desk.put(name, png(raster(CARD)))
    assert b"\x1b" not in desk.look(name).stdout
    desk.put("bad\udcff.png", png(raster(CARD)))
    assert desk.objects("bad\udcff.png")[0]["read"]


def test_what_was_found_is_drawn(desk):
    desk.put("a.png", png(raster(CARD)))
    (desk.folder / "out").mkdir()
    one, = desk.objects("--annotate", "out", "a.png")
    rows = unpack_png(desk.folder / "out" / "a.png.look.png")
    assert (len(rows), len(rows[0])) == (300, 400)
    corners = one["codes"][0]["corners"]
    for x, y in corners:
        r, g, b = rows[y][x]
        assert g > 150 and r < 100 and b < 100
    (x0, y0), (x1, y1) = corners[0], corners[1]
    assert rows[(y0 + y1) // 2][(x0 + x1) // 2][1] > 150 > rows[(y0 + y1) // 2][(x0 + x1) // 2][0]
    assert rows[2][2] == (200, 200, 200)
    gray = sum(r == g == b for row in rows for r, g, b in row)
    assert gray > 0.95 * 300 * 400
    assert [path.name for path in (desk.folder / "out").iterdir()] == ["a.png.look.png"]


def test_an_empty_picture_is_drawn_as_it_is(desk):
    desk.put("gray.pgm", pgm([bytearray([128]) * 40] * 30))
    desk.look("--annotate", ".", "gray.pgm", status=1)
    assert unpack_png(desk.folder / "gray.pgm.look.png") == [[(128, 128, 128)] * 40] * 30


def test_drawings_never_replace_each_other(desk):
    (desk.folder / "x").mkdir()
    for name in ("a.png", "x/a.png"):
        desk.put(name, png(raster(name)))
    done = desk.look("--annotate", ".", "a.png", "x/a.png", status=1)
    assert "take another --annotate" in done.stderr.decode()
    assert desk.objects("a.png.look.png")[0]["codes"][0]["payload"] == "a.png"
