#!/usr/bin/python3
"""Writes the vectors' payloads as a fuzzer's first corpus: seeds.py FOLDER. Tokens also as their COSE bytes after a zero
byte, which the target takes for a token whose Base45 is already off."""
import pathlib
import re
import sys

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


folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
data = pathlib.Path(__file__).resolve().parent.parent / "data" / "credentials"
count = 0
for table in sorted(data.glob("*.tsv")):
    for line in table.read_text().splitlines():
        if line.startswith("#") or "\t" not in line:
            continue
        payload = re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), line.split("\t")[1].encode())
        seeds = [payload]
        if payload.startswith(b"QG1:"):
            raw = base45(payload[4:].decode("latin-1"))
            seeds += [b"\0" + raw] if raw else []
        for seed in seeds:
            (folder / f"{table.stem}-{count:04d}").write_bytes(seed)
            count += 1
print(f"{count} seeds")
