"""Posters and cards, measured and read: pages rendered by poppler, codes decoded by ZBar, sizes by the ruler."""
import os
import pathlib
import re
import stat
import subprocess
import sys
import xml.etree.ElementTree

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import gate  # noqa: E402

CTL = pathlib.Path(os.environ.get("QRGATECTL", gate.ROOT / os.environ.get("QRG_BUILD", "build") / "qrgatectl")).resolve()
GROUP = "0123456789abcdef01234567"
LINK = f"https://tokhaiyte.vn/?page=Group.checkin&groupId={GROUP}"
PLACE = "Nhà máy Thử Nghiệm Số Hai"
DPI = 200
PAPERS = {"A4": (210, 297, 150), "A5": (148, 210, 120)}


class Desk:
    def __init__(self, folder):
        self.folder = folder

    def run(self, *words, status=0, language="en", **more):
        done = subprocess.run([CTL, "--lang", language, *map(str, words)], capture_output=True, text=True, cwd=self.folder, timeout=60,
                              **more)
        assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
        return done

    def poster(self, out, *words, **more):
        return self.run("poster", "--group-id", GROUP, "--place", PLACE, "--out", out, *words, **more)

    def rows(self, text, name="people.csv", mode=0o600):
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return path


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


class Picture:
    """A gray picture, in millimetres from its corner."""

    def __init__(self, width, height, pixels, dpi=DPI):
        self.width, self.height, self.pixels, self.mm = width, height, pixels, 25.4 / dpi

    def dark(self, x_mm, y_mm):
        return self.pixels[int(y_mm / self.mm) * self.width + int(x_mm / self.mm)] < 128

    def extent(self, left, top, right, bottom):
        """The dark part of a rectangle: left, top, right, bottom."""
        columns, rows = [], []
        for y in range(int(top / self.mm), int(bottom / self.mm)):
            row = self.pixels[y * self.width + int(left / self.mm):y * self.width + int(right / self.mm)]
            found = [x for x, value in enumerate(row) if value < 128]
            if found:
                rows.append(y)
                columns += [found[0], found[-1]]
        return (left + min(columns) * self.mm, min(rows) * self.mm, left + (max(columns) + 1) * self.mm, (max(rows) + 1) * self.mm)

    def cut(self, left, top, right, bottom):
        x, y = int(left / self.mm), int(top / self.mm)
        width, height = int((right - left) / self.mm), int((bottom - top) / self.mm)
        return Picture(width, height, b"".join(self.pixels[(y + i) * self.width + x:(y + i) * self.width + x + width] for i in range(height)))

    def cards(self, folder):
        """The code of each card of a sheet, as somebody shows it: alone."""
        return [code for row in range(4) for column in range(3)
                for code in self.cut(10.3 + column * 190 / 3, 8.8 + row * 70, 9.7 + (column + 1) * 190 / 3,
                                     8.2 + (row + 1) * 70).codes(folder)]

    def codes(self, folder):
        path = folder / "rendered.pgm"
        path.write_bytes(b"P5\n%d %d\n255\n" % (self.width, self.height) + bytes(self.pixels))
        done = subprocess.run(["zbarimg", "-q", "--raw", "-Sdisable", "-Sqrcode.enable", path], capture_output=True, text=True)
        return done.stdout.splitlines()


def pages(folder, path):
    for old in folder.glob("page-*.pgm"):
        old.unlink()
    subprocess.run(["pdftoppm", "-r", str(DPI), "-gray", path, folder / "page"], check=True)
    found = []
    for page in sorted(folder.glob("page-*.pgm")):
        head = re.match(rb"P5\s+(\d+)\s+(\d+)\s+255\s", page.read_bytes())
        found.append(Picture(int(head[1]), int(head[2]), page.read_bytes()[head.end():]))
    return found


def page_sizes_mm(path):
    text = subprocess.run(["pdfinfo", "-l", "-1", path], check=True, capture_output=True, text=True).stdout
    return [tuple(float(number) / 72 * 25.4 for number in size) for size in re.findall(r"size:\s+([\d.]+) x ([\d.]+) pts", text)]


def text_of(path):
    return subprocess.run(["pdftotext", "-layout", path, "-"], check=True, capture_output=True, text=True).stdout


def svg_picture(path):
    """The dark rectangles of the SVG's paths, drawn; and its size in mm. Glyphs are paths of other commands, and left out."""
    root = xml.etree.ElementTree.parse(path).getroot()
    size = [float(root.get(name).removesuffix("pt")) / 72 * 25.4 for name in ("width", "height")]
    width, height = (round(mm * DPI / 25.4) for mm in size)
    pixels = bytearray([255]) * (width * height)
    scale = DPI / 72
    for node in root.iter("{http://www.w3.org/2000/svg}path"):
        data = node.get("d", "")
        paint = node.get("style", "") + node.get("fill", "")  # cairo 1.16 and 1.18
        if "C" in data or "(0%,0%,0%)" not in paint.replace(" ", ""):
            continue
        a, b, c, d, e, f = ([float(n) for n in re.findall(r"[-\d.]+", node.get("transform", ""))] or [1, 0, 0, 1, 0, 0])
        for part in re.findall(r"M([^MZ]*)Z", data):
            points = [(a * x + e, d * y + f) for x, y in
                      zip(*[iter([float(number) for number in re.findall(r"-?[\d.]+", part)])] * 2)]
            left, right = (round(fun(x for x, _ in points) * scale) for fun in (min, max))
            top, bottom = (round(fun(y for _, y in points) * scale) for fun in (min, max))
            for y in range(max(top, 0), min(bottom, height)):
                pixels[y * width + left:y * width + right] = bytes(right - left)
    return Picture(width, height, pixels), size


# ---- the poster ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("form", ["pdf", "svg"])
def test_the_poster_s_code_can_be_read_and_has_its_size(desk, paper, form):
    width, height, side = PAPERS[paper]
    path = desk.folder / f"poster.{form}"
    said = desk.poster(path, "--paper", paper)
    assert f"{paper}, the code is {side} x {side} mm" in said.stdout
    assert ("less than the 15 x 15 cm" in said.stderr) == (side < 150)  # an A5 sheet can't hold it, and that is told
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    if form == "pdf":
        (picture,), (size,) = pages(desk.folder, path), page_sizes_mm(path)
    else:
        picture, size = svg_picture(path)
    assert size == pytest.approx((width, height), abs=0.1)
    assert picture.codes(desk.folder) == [LINK]
    # Between the texts: the code's margin of four modules is white all around.
    middle = {"A4": (80, 248), "A5": (50, 185)}[paper]
    left, top, right, bottom = picture.extent(1, middle[0], width - 1, middle[1])
    assert (right - left, bottom - top) == pytest.approx((side, side), abs=0.4)
    assert left == pytest.approx(width - right, abs=0.3)
    quiet = 4 * side / 41
    assert left > quiet and top - middle[0] > 0 and side >= min(150, width - 2 * quiet - 5)
    for x, y in [(left - quiet + 0.3, top + side / 2), (right + quiet - 0.3, top + side / 2), (width / 2, top - quiet + 0.3),
                 (width / 2, bottom + quiet - 0.3)]:
        assert not picture.dark(x, y)


def test_the_poster_s_words(desk):
    path = desk.folder / "poster.pdf"
    desk.poster(path, "--address", "Khu 2, Phường Hà An, Thị xã Quảng Yên")
    text = text_of(path)
    for words in ("QUÉT MÃ KHI VÀO VÀ RA", PLACE, "Khu 2, Phường Hà An, Thị xã Quảng Yên", GROUP, "Báo bảo vệ"):
        assert words in text, text
    desk.poster(path, "--language", "en")
    assert "SCAN WHEN YOU COME AND GO" in text_of(path) and PLACE in text_of(path)
    # letter and mark apart, as some keyboards write them, are the same poster
    decomposed = "Nha\u0300 ma\u0301y Thu\u031b\u0309 Nghie\u0323\u0302m So\u0302\u0301 Hai"
    desk.run("poster", "--group-id", GROUP.upper(), "--place", decomposed, "--out", path)
    assert PLACE in text_of(path) and pages(desk.folder, path)[0].codes(desk.folder) == [LINK]


@pytest.mark.parametrize("place", ["X", "Trường Trung học phổ thông " * 5, "Ẩ" * 60, "W" * 200])
def test_any_name_leaves_the_code_alone(desk, place):
    path = desk.folder / "poster.pdf"
    for paper, middle in (("A4", 77), ("A5", 48.5)):
        desk.run("poster", "--group-id", GROUP, "--place", place.strip(), "--address", place.strip(), "--paper", paper, "--out", path)
        picture, = pages(desk.folder, path)
        width, _, side = PAPERS[paper]
        left, top, right, bottom = picture.extent(1, middle, width - 1, middle + side + 15)
        assert (right - left, top) == (pytest.approx(side, abs=0.4), pytest.approx(middle + 4 * side / 41, abs=1))
        assert picture.codes(desk.folder) == [LINK]


@pytest.mark.parametrize("words, said", [
    (["--group-id", GROUP[:-1]], "allowed are the 24 hex digits"), (["--group-id", GROUP[:-1] + "g"], "allowed are the 24 hex digits"),
    (["--group-id", LINK], "allowed are the 24 hex digits"), (["--place", " "], "allowed is UTF-8 text of 1 to 200 bytes"),
    (["--place", "a\nb"], "allowed is UTF-8 text"), (["--place", "x" * 201], "of 1 to 200 bytes"),
    (["--address", "a\tb"], "allowed is UTF-8 text"), (["--paper", "A3"], "--paper 'A3': allowed are A4, A5"),
    (["--out", "poster.png"], "allowed is a file that ends in .pdf or .svg"), (["--language", "zz"], "zz"),
])
def test_posters_that_can_t_be_made(desk, words, said):
    default = {"--group-id": GROUP, "--place": PLACE, "--out": "poster.pdf", **dict([words])}
    assert said in desk.run("poster", *sum(default.items(), ()), status=2).stderr
    assert list(desk.folder.iterdir()) == []


def test_a_file_that_can_t_be_written(desk):
    said = desk.poster(desk.folder / "none" / "poster.pdf", status=1).stderr
    assert "none/poster.pdf: can't be written: No such file" in said


# ---- cards -----------------------------------------------------------------------------------------------------------

NAMES = ["Nguyễn Thị Thử", "Đặng Văn Mẫu", "Trần Thị Bích Ngọc Phượng Hoàng Ánh Dương Thị Thử Nghiệm", "Lê Quý Đôn", "Ỷ Ỡ Ặ Ẵ Ỗ"]


def test_cards_of_codes(desk):
    codes = [f"0220990000{i:02d}|NGUYEN VAN A|1987-01-18|0|162979388586171{i:03d}|<1<00<0123232422" for i in range(13)]
    rows = "".join(f'"{code}","{NAMES[i % 5]}","Tổ {i}"\n' for i, code in enumerate(codes))
    path = desk.folder / "cards.pdf"
    said = desk.run("cards", desk.rows("code,name,note\n" + rows), "--out", path)
    assert "13 cards on 2 sheets, 0 bad rows" in said.stdout and said.stderr == ""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert page_sizes_mm(path) == [pytest.approx((210, 297), abs=0.1)] * 2
    first, second = pages(desk.folder, path)
    assert first.cards(desk.folder) == codes[:12] and second.cards(desk.folder) == codes[12:]
    text = re.sub(r"\s+", "", text_of(path))
    assert all(re.sub(r"\s+", "", name) in text for name in NAMES[:2] + NAMES[3:]) and "Tổ12" in text
    assert "TrầnThịBíchNgọc" in text and "…" in text  # too long for a card: cut, and said to be
    for column in range(3):
        for row in range(4):  # each in its place, 5 x 5 cm, and white around it
            x, y = 10 + column * 190 / 3, 8.5 + row * 70
            left, top, right, bottom = first.extent(x + 1, y + 1, x + 190 / 3 - 1, y + 59)
            assert (right - left, bottom - top) == pytest.approx((50, 50), abs=0.3)
            assert left - x == pytest.approx(x + 190 / 3 - right, abs=0.4) and left - x > 5


def test_cards_as_svg_and_no_more_than_a_sheet(desk):
    rows = [f"code{i:02d},Tên {i}\n" for i in range(13)]
    path = desk.folder / "cards.svg"
    desk.run("cards", desk.rows("code,name\n" + "".join(rows[:12])), "--out", path)
    picture, size = svg_picture(path)
    assert size == pytest.approx((210, 297), abs=0.1)
    assert picture.cards(desk.folder) == [f"code{i:02d}" for i in range(12)]
    path.unlink()
    said = desk.run("cards", desk.rows("code,name\n" + "".join(rows)), "--out", path, status=2).stderr
    assert "an SVG holds one sheet of 12 cards, and these are 13: take a .pdf" in said and not path.exists()


def test_cards_signed_for_each(desk):
    desk.run("key", "new", "--kid", "office", "--out", "office.key", "--public", "office.pub")
    (desk.folder / "trust").mkdir()
    (desk.folder / "office.pub").rename(desk.folder / "trust" / "office.pub")
    people = desk.rows("subject,name,status,note\ncccd:022099000001,Nguyễn Thị Thử,,\nbadge:17,Lê Quý Đôn,yellow,Bảo vệ\n"
                       "cccd:12,Sai Số,,\nbadge:18,Sai Màu,blue,\n")
    path = desk.folder / "cards.pdf"
    said = desk.run("cards", people, "--key", "office.key", "--valid", "14d", "--status", "green", "--out", path, status=3)
    assert "2 cards on 1 sheets, 2 bad rows" in said.stdout
    assert "people.csv:4: subject: allowed is" in said.stderr and "people.csv:5: status: allowed are" in said.stderr
    codes = pages(desk.folder, path)[0].cards(desk.folder)
    shown = [desk.run("token", "show", "-", "--trust", "trust", input=code + "\n").stdout for code in codes]
    assert sorted(re.search(r"subject +(\S+)", text)[1] for text in shown) == ["badge:17", "cccd:022099000001"]
    assert sorted(re.search(r"status +(\S+)", text)[1] for text in shown) == ["green", "yellow"]
    assert "Bảo vệ · valid until" in text_of(path)
    assert "--valid TIME is missing" in desk.run("cards", people, "--key", "office.key", "--out", path, status=2).stderr
    assert "go with --key" in desk.run("cards", people, "--valid", "1d", "--out", path, status=2).stderr


@pytest.mark.parametrize("text, status, said", [
    ("", 1, "the first line must name the columns"), ("code,name\n", 1, "no card in it"), ("name\nA\n", 1, "the column code is missing"),
    ("code,colour\n", 1, "column 'colour': allowed are code, subject, name"), ("code,code\n", 1, "each once"),
    ("code,name\n,Tên\n", 1, "people.csv:2: code: allowed are 1 to 255 bytes"), ("code,name\nx,\"a\x01b\"\n", 1, "name, note: allowed"),
])
def test_lists_that_can_t_be_used(desk, text, status, said):
    assert said in desk.run("cards", desk.rows(text), "--out", "cards.pdf", status=status).stderr
    assert not (desk.folder / "cards.pdf").exists()


def test_a_list_of_people_that_everybody_may_read_is_told(desk):
    said = desk.run("cards", desk.rows("code\nx\n", mode=0o644), "--out", "cards.pdf").stderr
    assert "everybody on this machine may read this list of people" in said
    assert desk.run("cards", "-", "--out", "cards.pdf", input="code\nx\n").stderr == ""


# ---- the sample ------------------------------------------------------------------------------------------------------

def test_the_samples_in_config_are_what_is_made(desk):
    """The pictures that a reader of the sources sees."""
    folder = gate.ROOT / "config" / "examples"
    assert sorted(path.name for path in folder.iterdir()) == ["cards.csv", "cards.pdf", "poster.pdf"]
    assert pages(desk.folder, folder / "poster.pdf")[0].codes(desk.folder) == [LINK]
    assert PLACE in text_of(folder / "poster.pdf")
    made = desk.run("cards", folder / "cards.csv", "--out", "cards.pdf").stdout
    assert "12 cards" in made
    shown, fresh = (pages(desk.folder, path)[0].cards(desk.folder) for path in (folder / "cards.pdf", desk.folder / "cards.pdf"))
    assert len(shown) == 12 and shown == fresh
    explained = desk.run("code", "explain", input="\n".join(shown) + "\n").stdout
    assert explained.count("personal_code_1405, readable") == 12  # a gate takes them
    assert sum(path.stat().st_size for path in folder.iterdir()) < 200_000
