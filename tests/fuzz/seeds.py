#!/usr/bin/python3
"""Writes a target's first corpus: seeds.py TARGET FOLDER. The vectors' payloads, and what lies inside them."""
import pathlib
import re
import subprocess
import sys
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


def base45(text):
    out = bytearray()
    for i in range(0, len(text) - 1, 3):
        digits = [ALPHABET.find(c) for c in text[i:i + 3]]
        value = sum(d * 45 ** k for k, d in enumerate(digits))
        if min(digits) < 0 or value >= 256 ** (len(digits) - 1):
            return None
        out += value.to_bytes(len(digits) - 1, "big")
    return bytes(out)


def payloads():
    for table in sorted((ROOT / "tests/data/credentials").glob("**/*.tsv")):
        for line in table.read_text().splitlines():
            if not line.startswith("#") and "\t" in line:
                yield re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), line.split("\t")[1].encode())


def messages():
    """The COSE messages inside of tokens and certificates."""
    for payload in payloads():
        if payload[:4] in (b"QG1:", b"HC1:") and (raw := base45(payload[4:].decode("latin-1"))):
            if payload.startswith(b"HC1:"):
                try:
                    raw = zlib.decompressobj().decompress(raw, 1 << 15)
                except zlib.error:
                    continue
            yield raw


def samples(name):
    return [p.read_bytes() for p in sorted((ROOT / "tests/fuzz/seeds" / name).glob("*")) if p.is_file()]


def codes():
    """Codes as fuzz_vision draws them, whole and with ever more wrong: what puts them right begins there."""
    for version, level in ((version, level) for version in (1, 2, 3, 4) for level in "LMQH"):
        text = ("A%d" % version) * (3 * version)
        drawn = subprocess.run(["qrencode", "-v", str(version), "-l", level, "-m", "0", "-t", "ASCII", "-o", "-", text],
                               stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
        bits = [line[2 * column] == "#" for line in drawn for column in range(len(drawn))]
        for wrong in (0, 1, 7, 15):
            data = bytearray(len(bits) // 8 + 1)
            for i, bit in enumerate(bits):
                data[i // 8] |= (bit ^ (wrong > 0 and i % 97 < wrong and i > len(bits) // 2)) << i % 8
            data[0] = (len(drawn) - 21) // 4  # the size, where a finder is anyway
            side = 2 * (len(drawn) + 4) - 1
            yield bytes([side, 64, 2, 1, 8 * (wrong % 2), 0, side, 0]) + bytes(data)


def pictures():
    """Heads of fuzz_vision, each before a little of everything."""
    rest = bytes(range(256)) + b"\xfe\x82\xba\xba\xba\x82\xfe" * 40
    for kind in range(3):
        for module in range(6):
            for looks in (0, 7, 15):
                yield bytes([96, 64, kind, module, looks, 3 * module, 96, kind]) + rest
    for width, high, tall in ((1, 0, 0), (255, 15, 1), (255, 255, 255), (20, 64, 200), (0, 64, 255)):
        yield bytes([width, high, 0, 0, 7, 0, tall, 8]) + rest


SEEDS = {
    "fuzz_vision": lambda: [*pictures(), *codes()],
    "fuzz_credential": lambda: [*payloads(), *(b"\0" + m for m in messages())],
    "fuzz_base45": lambda: [p[4:] for p in payloads() if p[:4] in (b"QG1:", b"HC1:")],
    "fuzz_cose": lambda: list(messages()),
    "fuzz_dcc": lambda: list(messages()),
    "fuzz_cards": lambda: [p for p in payloads() if b"|" in p],
    "fuzz_settings": lambda: [*samples("settings"), (ROOT / "config/qrgate.conf").read_bytes(),
                              re.sub(rb"(?m)^(\s*)# (?=.*[;{}])", rb"\1", (ROOT / "config/qrgate.conf").read_bytes())],
}

target, folder = sys.argv[1], pathlib.Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
for old in folder.glob("seed-*"):
    old.unlink()
seeds = SEEDS.get(target, lambda: samples(target.removeprefix("fuzz_")))()
for number, seed in enumerate(seeds):
    (folder / f"seed-{number:04d}").write_bytes(seed)
if not seeds:
    sys.exit(f"{target}: no seeds; put some into tests/fuzz/seeds/{target.removeprefix('fuzz_')}/")
