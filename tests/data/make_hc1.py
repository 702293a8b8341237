"""Makes the vectors and certificates of tests/data/credentials/hc1 anew: people, issuers and keys are made up, and the
encoders here share no code with the daemon. Run by hand only; tests read what is committed:

    /usr/bin/python3 tests/data/make_hc1.py        (python3-cryptography)
"""
import base64
import datetime
import hashlib
import pathlib
import struct
import unicodedata
import zlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

HERE = pathlib.Path(__file__).parent / "credentials" / "hc1"
UTC = datetime.timezone.utc
FROM, UNTIL = datetime.datetime(2026, 1, 1, tzinfo=UTC), datetime.datetime(2028, 1, 1, tzinfo=UTC)
IAT, EXP = 1790000000, 1805000000  # September 2026, March 2027
OLD, NEW = "1.3.6.1.4.1.0.1847.2021.1.", "1.3.6.1.4.1.1847.2021.1."
TEST, VACCINATION, RECOVERY = "1", "2", "3"


# ---- CBOR, Base45, COSE ----

class Raw(bytes):
    """CBOR already."""


class Tag:
    def __init__(self, number, value):
        self.number, self.value = number, value


class Indefinite:
    def __init__(self, value):
        self.value = value


def head(major, number):
    for bits, size, form in ((24, 0, ""), (1 << 8, 24, ">B"), (1 << 16, 25, ">H"), (1 << 32, 26, ">I"), (1 << 64, 27, ">Q")):
        if number < bits:
            return bytes([major << 5 | (size or number)]) + (struct.pack(form, number) if form else b"")
    raise ValueError(number)


def cbor(value):
    if isinstance(value, Raw):
        return bytes(value)
    if isinstance(value, Tag):
        return head(6, value.number) + cbor(value.value)
    if isinstance(value, Indefinite):
        inner = value.value
        if isinstance(inner, dict):
            return b"\xbf" + b"".join(cbor(k) + cbor(v) for k, v in inner.items()) + b"\xff"
        return b"\x9f" + b"".join(map(cbor, inner)) + b"\xff"
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", True: b"\xf5", False: b"\xf4"}[value]
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    return head(5, len(value)) + b"".join(cbor(k) + cbor(v) for k, v in value.items())


def base45(data):
    letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
    out = ""
    for at in range(0, len(data), 2):
        pair = data[at:at + 2]
        number = int.from_bytes(pair, "big")
        for _ in range(len(pair) + 1):
            out += letters[number % 45]
            number //= 45
    return out


# ---- signers ----

class Signer:
    def __init__(self, key, usages=None, country="XA", **options):
        self.key = key
        name = [x509.NameAttribute(x509.NameOID.COMMON_NAME, options.get("name", "Made-up signer"))]
        if country:
            name.insert(0, x509.NameAttribute(x509.NameOID.COUNTRY_NAME, country))
        issuer = [x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "XB"),
                  x509.NameAttribute(x509.NameOID.COMMON_NAME, "Made-up authority")]
        builder = (x509.CertificateBuilder().subject_name(x509.Name(name)).issuer_name(x509.Name(issuer))
                   .public_key(key.public_key()).serial_number(options.get("serial", 7))
                   .not_valid_before(options.get("since", FROM)).not_valid_after(options.get("until", UNTIL)))
        if usages is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier(u) for u in usages]), False)
        self.certificate = builder.sign(AUTHORITY, hashes.SHA256())
        self.der = self.certificate.public_bytes(serialization.Encoding.DER)
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.kid = hashlib.sha256(self.der).digest()[:8]
        self.alg = -7 if isinstance(key, ec.EllipticCurvePrivateKey) else -37

    def sign(self, data):
        if self.alg == -37:
            return self.key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        r, s = decode_dss_signature(self.key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def ec_key(number):
    return ec.derive_private_key(int.from_bytes(hashlib.sha256(b"made up %d" % number).digest(), "big") >> 8,
                                 ec.SECP256R1())


AUTHORITY = ec_key(0)
ALL = Signer(ec_key(1), [NEW + TEST, NEW + VACCINATION, NEW + RECOVERY])
FOR_TEST = Signer(ec_key(2), [OLD + TEST])
FOR_VACCINATION = Signer(ec_key(3), [OLD + VACCINATION, "1.3.6.1.5.5.7.3.4"])
FOR_RECOVERY = Signer(ec_key(4), [NEW + RECOVERY], country=None)
NO_USAGE = Signer(ec_key(5))
OTHER_USAGE = Signer(ec_key(6), ["1.3.6.1.5.5.7.3.4"])
PAST = Signer(ec_key(7), since=datetime.datetime(2020, 1, 1, tzinfo=UTC), until=datetime.datetime(2021, 1, 1, tzinfo=UTC))
RSA = Signer(rsa.generate_private_key(65537, 2048))
STRANGER = Signer(ec_key(8))


def message(payload, signer=ALL, **o):
    """Everything a sender may write otherwise is an option."""
    protected = o.get("protected", {1: o.get("alg", signer.alg), 4: signer.kid})
    header = protected if isinstance(protected, bytes) else cbor(protected)
    signed_header = o.get("signed_header", header)
    signature = o.get("signature", signer.sign(cbor(["Signature1", signed_header, b"", o.get("signed", payload)])))
    body = cbor([header, o.get("unprotected", {}), payload, signature])
    for tag in o.get("tags", [18]):
        body = head(6, tag) + body
    return o.get("body", body)


def text(message_bytes, prefix="HC1:"):
    return prefix + base45(zlib.compress(message_bytes, 9))


# ---- certificates ----

NAME = {"fn": "Đoàn", "gn": "Văn Thử", "fnt": "DOAN", "gnt": "VAN<THU"}
V = {"tg": "840539006", "vp": "1119349007", "mp": "EU/1/20/1528", "ma": "ORG-100030215", "dn": 2, "sd": 2,
     "dt": "2026-03-14", "co": "XA", "is": "Made-up ministry", "ci": "URN:UVCI:01:XA:MADEUP1#1"}
T = {"tg": "840539006", "tt": "LP6464-4", "nm": "Made-up PCR", "sc": "2026-09-20T08:30:00Z", "tr": "260415000",
     "tc": "Made-up centre", "co": "XA", "is": "Made-up ministry", "ci": "URN:UVCI:01:XA:MADEUP2#2"}
R = {"tg": "840539006", "fr": "2026-05-01", "df": "2026-05-12", "du": "2026-10-28", "co": "XA",
     "is": "Made-up ministry", "ci": "URN:UVCI:01:XA:MADEUP3#3"}


def day(date):
    return int(datetime.datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp())


HEALTH_V = f"vaccination XA 1987-01-18 840539006 URN:UVCI:01:XA:MADEUP1#1 EU/1/20/1528 2/2 {day('2026-03-14')}"
HEALTH_T = f"test XA 1987-01-18 840539006 URN:UVCI:01:XA:MADEUP2#2 LP6464-4 not_detected {day('2026-09-20T08:30:00')}"
HEALTH_R = (f"recovery XA 1987-01-18 840539006 URN:UVCI:01:XA:MADEUP3#3 {day('2026-05-01')} {day('2026-05-12')} "
            f"{day('2026-10-28')}")


def dcc(group="v", entry=None, nam=NAME, dob="1987-01-18", **changes):
    entry = {"v": V, "t": T, "r": R}[group] if entry is None else entry
    whole = {"ver": "1.3.0", "nam": nam, "dob": dob, group: [entry]}
    whole.update(changes)
    return {k: v for k, v in whole.items() if v != "left out"}


def changed(entry, **changes):
    return {k: v for k, v in {**entry, **changes}.items() if v != "left out"}


def cwt(certificate=None, **o):
    claims = {1: "XA", 4: o.get("exp", EXP), 6: o.get("iat", IAT), -260: {1: dcc() if certificate is None else certificate}}
    claims.update(o.get("more", {}))
    return cbor({k: v for k, v in claims.items() if v != "left out"})


def subject(fnt="DOAN", gnt="VAN<THU", dob="1987-01-18"):
    return "hc1:" + hashlib.sha256(f"{fnt}<{gnt}<{dob}".encode()).digest()[:16].hex()


def compare(name):
    plain = unicodedata.normalize("NFD", name.replace("Đ", "D").replace("đ", "d"))
    return "".join(c for c in plain if not unicodedata.combining(c)).upper()


ROWS = []


def escape(payload):
    data = payload.encode() if isinstance(payload, str) else payload
    return "".join(chr(b) if 32 <= b < 127 and b != 0x5c else "\\x%02x" % b for b in data)


def row(what, payload, checks, fault="ok", detail="-", health="-", **o):
    ok = fault == "ok"
    name = o.get("name", "Văn Thử Đoàn")
    kind = o.get("kind", "health_certificate")
    ROWS.append("\t".join([
        what, escape(payload), kind, fault, detail, o.get("subject", subject()) if ok else "-",
        (name or "-") if ok else "-", "none", str(o.get("issued", IAT) if ok else 0),
        str(o.get("expires", EXP) if ok else 0), str(o.get("warnings", 0) if ok else 0), "-",
        (o.get("compare", compare(name)) or "-") if ok else "-", checks, health]))


def good(what, payload, health=HEALTH_V, **o):
    row(what, payload, "PPPPPPPP", health=health, **o)


def malformed(what, payload, checks, detail, **o):
    row(what, payload, checks, "malformed", detail, **o)


def schema(what, certificate, detail, **o):
    row(what, text(message(cwt(certificate))), "PPPPP%sPF" % o.get("usage", "P"), "malformed", detail)


def positive():
    good("vaccination, ES256, kid protected", text(message(cwt())))
    good("test", text(message(cwt(dcc("t")))), HEALTH_T)
    good("recovery", text(message(cwt(dcc("r")))), HEALTH_R)
    good("PS256", text(message(cwt(), RSA)))
    good("kid unprotected", text(message(cwt(), protected={1: -7}, unprotected={4: ALL.kid})))
    good("kid in both headers, the protected one right",
         text(message(cwt(), unprotected={4: b"12345678"})))
    good("kid and alg unprotected, protected empty",
         text(message(cwt(), protected=b"", unprotected={1: -7, 4: ALL.kid})))
    good("protected an empty map, signed as nothing",
         text(message(cwt(), protected=b"\xa0", signed_header=b"", unprotected={1: -7, 4: ALL.kid})))
    good("alg in both headers, the protected one right", text(message(cwt(), unprotected={1: -37})))
    good("no kid", text(message(cwt(), protected={1: -7})))
    good("untagged", text(message(cwt(), tags=[])))
    good("tags 61 and 18", text(message(cwt(), tags=[18, 61])))
    good("tag 18 twice", text(message(cwt(), tags=[18, 18])))
    good("unknown headers", text(message(cwt(), protected={1: -7, 4: ALL.kid, 3: 60, "x": [1, {2: 3}]},
                                         unprotected={"y": b"z"})))
    good("stored, not compressed, in the zlib", "HC1:" + base45(zlib.compress(message(cwt()), 0)))
    good("NUL, CR, LF at the end", text(message(cwt())) + "\r\n\0")
    good("signer only for vaccination, old OID", text(message(cwt(), FOR_VACCINATION)))
    good("signer only for tests, old OID", text(message(cwt(dcc("t")), FOR_TEST)), HEALTH_T)
    good("signer only for recovery, new OID", text(message(cwt(dcc("r")), FOR_RECOVERY)), HEALTH_R)
    good("signer without key usages", text(message(cwt(), NO_USAGE)))
    good("signer with another key usage", text(message(cwt(), OTHER_USAGE)))
    good("signer's certificate out of its validity: judged later", text(message(cwt(), PAST)))
    positive_claims()
    positive_schema()


def positive_claims():
    good("exp and iat as floats", text(message(cwt(exp=EXP + 0.75, iat=IAT + 0.5))))
    good("exp as a float of 32 bits", text(message(cwt(exp=Raw(b"\xfa" + struct.pack(">f", 1.8e9))))),
         expires=int(struct.unpack(">f", struct.pack(">f", 1.8e9))[0]))
    good("nbf later than iat", text(message(cwt(more={5: IAT + 60}))), issued=IAT + 60)
    good("nbf earlier than iat", text(message(cwt(more={5: IAT - 60}))))
    good("no iss", text(message(cwt(more={1: "left out"}))))
    good("unknown claims", text(message(cwt(more={7: b"id", "x": {"y": [1, 2, None]}}))))
    good("exp in the past: judged later", text(message(cwt(exp=1))), expires=1)
    good("maps and arrays of indefinite length",
         text(message(cbor(Indefinite({4: EXP, 6: IAT, -260: Indefinite({1: Indefinite(
             {"ver": "1.3.0", "nam": Indefinite(NAME), "dob": "1987-01-18", "v": Indefinite([Indefinite(V)])})})})))))
    good("a second certificate under another key", text(message(cwt(more={-260: {2: {"x": "y"}, 1: dcc()}}))))


def positive_schema():
    good("t and r null, r empty", text(message(cwt(dcc(t=None, r=[])))))
    older, newer = changed(V, dn=1, dt="2026-01-02", ci="old"), V
    good("two vaccinations, the newest last", text(message(cwt(dcc(v=[older, newer])))))
    good("two vaccinations, the newest first", text(message(cwt(dcc(v=[newer, older])))))
    good("unknown members", text(message(cwt(dcc(meta={"a": {"b": [1]}}, v=[changed(V, xx={"y": [1, b"z"]})])))))
    good("doses as floats", text(message(cwt(dcc(v=[changed(V, dn=2.0, sd=2.0)])))))
    good("dates with times behind", text(message(cwt(dcc("r", changed(
        R, fr="2026-05-01T00:00:00.000Z", df="2026-05-12T23:59:59+07:00", du="2026-10-28T00:00:00"))))), HEALTH_R)
    for what, written in (("with an offset", "2026-09-20T15:30:00+07:00"), ("with a short offset", "2026-09-20T15:30:00+07"),
                          ("with an offset without colon", "2026-09-20T03:00:00-0530"), ("with a fraction", "2026-09-20T08:30:00.999Z"),
                          ("without seconds", "2026-09-20T08:30Z"), ("without a zone", "2026-09-20T08:30:00"),
                          ("with a space", "2026-09-20 08:30:00Z"), ("in small letters", "2026-09-20t08:30:00z"),
                          ("tagged 0", Tag(0, "2026-09-20T08:30:00Z")), ("tagged 1", Tag(1, day("2026-09-20T08:30:00"))),
                          ("in milliseconds", day("2026-09-20T08:30:00") * 1000)):
        good("sc " + what, text(message(cwt(dcc("t", changed(T, sc=written))))), HEALTH_T)
    good("positive test", text(message(cwt(dcc("t", changed(T, tr="260373001"))))), HEALTH_T.replace("not_detected", "detected"))
    good("rapid test with ma, without nm and tc",
         text(message(cwt(dcc("t", changed(T, tt="LP217198-3", ma="1232", nm=None, tc="left out"))))),
         HEALTH_T.replace("LP6464-4", "LP217198-3"))
    for dob in ("1987-01", "1987", "", "1987-XX-XX", "1987-01-xx"):
        good(f"born '{dob}'", text(message(cwt(dcc(dob=dob)))), HEALTH_V.replace("1987-01-18", dob or "-"),
             subject=subject(dob=dob))
    good("only fn and fnt", text(message(cwt(dcc(nam={"fn": "Thử", "fnt": "THU"})))), name="Thử", subject=subject("THU", ""))
    good("only gnt", text(message(cwt(dcc(nam={"gnt": "VAN<THU"})))), name="VAN THU", subject=subject("", "VAN<THU"))
    good("name not in NFC", text(message(cwt(dcc(nam={k: unicodedata.normalize("NFD", v) for k, v in NAME.items()})))),
         warnings=8)
    long_name = {**NAME, "fn": "Dài " * 20, "gn": "Rất " * 20}
    cut = ("Rất " * 20 + " " + "Dài " * 20).encode()
    ROWS_BEFORE = len(ROWS)
    good("names of 80 letters each, cut", text(message(cwt(dcc(nam=long_name)))), name="?")
    fix_long_name(ROWS_BEFORE, cut)
    good("texts of 80 letters", text(message(cwt(dcc(v=[changed(V, **{"is": "ệ" * 80, "ci": "C" * 80})])))),
         HEALTH_V.replace("URN:UVCI:01:XA:MADEUP1#1", "C" * 80))
    good("long codes, cut", text(message(cwt(dcc(v=[changed(V, mp="P" * 60)])))), HEALTH_V.replace("EU/1/20/1528", "P" * 39))
    good("country of more letters, not kept", text(message(cwt(dcc(v=[changed(V, co="XAXA")])))),
         HEALTH_V.replace("vaccination XA", "vaccination -"))
    good("country empty", text(message(cwt(dcc(v=[changed(V, co="")])))), HEALTH_V.replace("vaccination XA", "vaccination -"))
    bare = len(message(cwt()))
    for what, size in (("the most that may be inflated", 32768), ("one byte more", 32769)):
        for pad in range(32768 - bare - 40, 32769):
            padded = message(cwt(), unprotected={"p": bytes(pad)})
            if len(padded) == size:
                break
        if size == 32768:
            good(what, text(padded))
        else:
            malformed(what, text(padded), "PF------", "32768")


def fix_long_name(at, cut):
    """By the reader's own rule: an eighth less, at the border of a character, until it fits with a NUL."""
    length = len(cut)
    while length > 127:
        length -= length // 8 + 1
        while cut[length] & 0xc0 == 0x80:
            length -= 1
    name = cut[:length].decode()
    fields = ROWS[at].split("\t")
    fields[6] = name
    fields[12] = " ".join(compare(name).split())
    ROWS[at] = "\t".join(fields)


def envelope():
    sound = text(message(cwt()))
    packed = zlib.compress(message(cwt()), 9)
    row("prefix of another version", "HC2:" + sound[4:], "--------", "unsupported", "no kind", kind="unsupported")
    row("prefix in small letters", "hc1:" + sound[4:], "--------", "unsupported", "no kind", kind="unsupported")
    row("no prefix", sound[4:], "--------", "unsupported", "no kind", kind="unsupported")
    malformed("nothing behind the prefix", "HC1:", "F-------", "Base45")
    malformed("a letter that is not Base45's", sound[:40] + "=" + sound[41:], "F-------", "Base45")
    malformed("small letters", sound[:4] + sound[4:].lower(), "F-------", "Base45")
    malformed("a group too great", "HC1:::::::", "F-------", "Base45")
    malformed("one character too many", "HC1:" + base45(packed[:-1] if len(packed) % 2 else packed) + "A", "F-------", "Base45")
    malformed("not compressed", "HC1:" + base45(message(cwt())), "PF------", "not compressed")
    malformed("raw deflate", "HC1:" + base45(packed[2:-4]), "PF------", "zlib")
    malformed("zlib cut short", "HC1:" + base45(packed[:-20]), "PF------", "cut short")
    malformed("zlib with a wrong sum", "HC1:" + base45(packed[:-1] + bytes([packed[-1] ^ 1])), "PF------", "broken")
    malformed("zlib with bytes behind", "HC1:" + base45(packed + b"ab"), "PF------", "after its end")
    compressor = zlib.compressobj(zdict=b"840539006")
    malformed("zlib that wants a dictionary", "HC1:" + base45(compressor.compress(message(cwt())) + compressor.flush()),
              "PF------", "zlib")
    malformed("bomb of a megabyte", text(bytes(1 << 20)), "PF------", "32768")
    malformed("bomb cut short", "HC1:" + base45(zlib.compress(bytes(1 << 20), 9)[:-30]), "PF------", "32768")


def cose():
    for what, body in (("not CBOR", b"\xff"), ("empty", b""), ("a map", cbor({})), ("array of 3", cbor([b"", {}, b""])),
                       ("COSE_Mac0's tag", head(6, 17) + message(cwt(), tags=[])), ("tag 98", message(cwt(), tags=[98])),
                       ("tags 18 and 61", message(cwt(), tags=[61, 18])), ("tag 61 alone", message(cwt(), tags=[61])),
                       ("array of indefinite length", b"\x9f" + message(cwt(), tags=[])[1:] + b"\xff")):
        malformed("message: " + what, text(body), "PPF-----", "message")
    malformed("bytes behind the message", text(message(cwt()) + b"\0"), "PPF-----", "after its end")
    malformed("message cut short", text(message(cwt())[:-1]), "PPF-----", "signature")
    malformed("no alg", text(message(cwt(), protected={4: ALL.kid})), "PPF-----", "alg")
    for alg in (-8, -35, -36, -257, -65535, 0, 5, "ES256"):
        malformed(f"alg {alg}", text(message(cwt(), alg=alg)), "PPF-----", "alg")
    malformed("alg unprotected only, EdDSA", text(message(cwt(), protected={4: ALL.kid}, unprotected={1: -8})),
              "PPF-----", "alg")
    malformed("crit", text(message(cwt(), protected={1: -7, 2: [3], 4: ALL.kid})), "PPF-----", "crit")
    malformed("kid as text", text(message(cwt(), protected={1: -7, 4: "12345678"})), "PPF-----", "kid")
    malformed("label twice", text(message(cwt(), protected=b"\xa3\x01\x26\x01\x26\x04\x48" + ALL.kid)), "PPF-----", "header")
    malformed("no payload", text(message(cwt(), body=cbor(Tag(18, [cbor({1: -7}), {}, None, bytes(64)])))), "PPF-----", "payload")


def keys():
    unknown = ("PPPF--PP", "key_unknown", "kid", HEALTH_V)
    row("kid of a stranger", text(message(cwt(), STRANGER)), *unknown)
    row("protected kid wrong, unprotected right", text(message(cwt(), protected={1: -7, 4: b"foofoofo"}, unprotected={4: ALL.kid})),
        *unknown)
    row("kid of 7 bytes", text(message(cwt(), protected={1: -7, 4: ALL.kid[:7]})), *unknown)
    row("kid of 9 bytes", text(message(cwt(), protected={1: -7, 4: ALL.kid + b"x"})), *unknown)
    row("no kid, signed by a stranger", text(message(cwt(), STRANGER, protected={1: -7})), *unknown)
    forged = ("PPPPFPPP", "signature", "signature", HEALTH_V)
    row("signed by another", text(message(cwt(), STRANGER, protected={1: -7, 4: ALL.kid})), *forged)
    row("claims exchanged", text(message(cwt(), signed=cwt(iat=IAT - 1))), *forged)
    row("zero signature", text(message(cwt(), signature=bytes(64))), *forged)
    row("signature of ones", text(message(cwt(), signature=b"\xff" * 64)), *forged)
    row("signature of 63 bytes", text(message(cwt(), signature=bytes(63))), *forged)
    row("no signature", text(message(cwt(), signature=b"")), *forged)
    row("signature in DER", text(message(cwt(), signature=ALL.key.sign(b"x", ec.ECDSA(hashes.SHA256())))), *forged)
    row("EC signature said to be PS256", text(message(cwt(), alg=-37)), *forged)
    row("PS256 signature broken", text(message(cwt(), RSA, signature=bytes(256))), *forged)
    row("PKCS #1 v1.5 instead of PSS", text(message(cwt(), RSA, signature=RSA.key.sign(b"x", padding.PKCS1v15(), hashes.SHA256()))),
        *forged)
    malformed("signature of 513 bytes", text(message(cwt(), RSA, signature=bytes(513))), "PPF-----", "512")
    usage = ("PPPPPFPP", "key_not_valid", "usage")
    row("vaccination by a signer for tests", text(message(cwt(), FOR_TEST)), *usage, HEALTH_V)
    row("vaccination by a signer for recovery", text(message(cwt(), FOR_RECOVERY)), *usage, HEALTH_V)
    row("test by a signer for vaccination", text(message(cwt(dcc("t")), FOR_VACCINATION)), *usage, HEALTH_T)
    row("recovery by a signer for tests", text(message(cwt(dcc("r")), FOR_TEST)), *usage, HEALTH_R)
    row("usage comes before signature", text(message(cwt(), FOR_TEST, signature=bytes(64))), "PPPPFFPP", "key_not_valid",
        "usage", HEALTH_V)
    row("malformed comes before key", text(message(cwt(dcc(ver=1)), STRANGER)), "PPPF--PF", "malformed", "ver")


def claims():
    def broken(what, payload, detail="claim"):
        malformed("claims: " + what, text(message(payload)), "PPPPPPF-".replace("PPPPPP", "PPP---"), detail)

    broken("none", b"")
    broken("not CBOR", b"\xff")
    broken("a byte string of them", cbor(cwt()))
    broken("the certificate without claims", cbor(dcc()))
    broken("no exp", cwt(exp="left out"), "exp")
    broken("no iat", cwt(iat="left out"), "iat")
    broken("no certificate", cwt(more={-260: "left out"}), "-260")
    broken("-260 no map", cwt(more={-260: [dcc()]}), "-260")
    broken("-260 without key 1", cwt(more={-260: {2: dcc()}}), "-260")
    for what, exp in (("text", "2027-03-14"), ("zero", 0), ("negative", -1), ("too great", 253402300800),
                      ("too great for a signed one", (1 << 64) - 1), ("tagged", Tag(1, EXP)), ("NaN", float("nan")),
                      ("infinite", float("inf")), ("a great float", 1e300), ("null", None)):
        broken("exp " + what, cwt(exp=exp), "exp")
    broken("bytes behind", cwt() + b"\0", "after their end")
    broken("exp twice", b"\xa4\x04\x01\x06\x01\x04\x02" + cwt()[1:], "each once")
    broken("33 of them", cbor({i: 1 for i in range(100, 133)}), "32")
    broken("text of indefinite length", cbor({4: EXP, 6: IAT, -260: {1: dcc(ver=Raw(b"\x7f\x611\xff"))}}), "CBOR")
    broken("text that is not UTF-8", cbor({4: EXP, 6: IAT, -260: {1: dcc(ver=Raw(b"\x61\xff"))}}), "CBOR")
    broken("member twice", cbor({4: EXP, 6: IAT, -260: {1: Raw(b"\xa2\x63ver\x651.3.0\x63ver\x651.3.0")}}), "CBOR")
    broken("nesting too deep", cwt(more={-260: {1: dcc(x=[[[[[[1]]]]]])}}), "CBOR")
    broken("cut short", cwt()[:-1], "CBOR")
    broken("map of 2^64-1", b"\xbb" + b"\xff" * 8, "claims")
    broken("array of 2^64-1 entries", cbor({4: EXP, 6: IAT, -260: {1: dcc(v=Raw(b"\x9b" + b"\xff" * 8))}}), "CBOR")
    broken("indefinite map without end", cbor({4: EXP, 6: IAT, -260: Raw(b"\xbf")}), "-260")


def schemas():
    schema("no certificate in it but {}", {}, "required", usage="-")
    schema("a text instead of an object", "x", "object", usage="-")
    schema("none of v, t, r", dcc(v="left out"), "one of v, t and r", usage="-")
    schema("all empty", dcc(v=[]), "one of v, t and r", usage="-")
    schema("v and t", dcc(t=[T]), "only one")
    schema("v, t and r", dcc(t=[T], r=[R]), "only one")
    schema("v no array", dcc(v=V), "v: an array", usage="-")
    schema("entry no object", dcc(v=["x"]), "v: an array")
    schema("one sound entry and one broken", dcc(v=[V, {}]), "v.tg")
    for key in ("ver", "nam", "dob"):
        schema("no " + key, dcc(**{key: "left out"}), key)
        schema(key + " null", dcc(**{key: None}), key)
    for ver in ("1.3", "1.3.0.1", "a.b.c", "1..0", "", ".1.3", 1.3):
        schema(f"ver {ver!r}", dcc(ver=ver), "ver")
    for dob in ("1987-13-01", "1987-02-30", "87-01-18", "1899-01-01", "2100-01-01", "1987-01-18T00:00:00", "18.01.1987",
                "1987-XX-18", "1987-X", "XXXX", "1987-", "1987-00-00", 1987):
        schema(f"dob {dob!r}", dcc(dob=dob), "dob")
    for what, nam in (("of fn and gn only", {"fn": "Thử", "gn": "Văn"}), ("empty", {}), ("with empty fnt and gnt", {"fnt": "", "gnt": ""}),
                      ("with fnt in small letters", {"fnt": "Thu"}), ("with fnt with a space", {"fnt": "VAN THU"}),
                      ("with fnt null", {"fn": "Thử", "fnt": None}), ("an array", ["THU"]),
                      ("with fnt of 81", {"fnt": "A" * 81}), ("with fn of 81", {"fn": "ă" * 81, "fnt": "A"}),
                      ("with a control character", {"fn": "A\nB", "fnt": "A"}), ("that turns the writing", {"gn": "\u202eA", "fnt": "A"}),
                      ("with fn a number", {"fn": 1, "fnt": "A"})):
        schema("nam " + what, dcc(nam=nam), "nam")
    for group, entry in (("v", V), ("t", T), ("r", R)):
        for key in entry:
            if (group, key) not in (("t", "nm"), ("t", "tc")):
                schema(f"{group} without {key}", dcc(group, changed(entry, **{key: "left out"})), f"{group}.{key}")
            schema(f"{group}.{key} an array", dcc(group, changed(entry, **{key: []})), f"{group}.{key}")
            schema(f"{group}.{key} true", dcc(group, changed(entry, **{key: True})), f"{group}.{key}")
    for key, value in (("dn", 0), ("dn", -1), ("dn", 1.5), ("dn", "2"), ("sd", 1 << 63), ("dt", "2026-02-29"), ("dt", "2026-3-14"),
                       ("dt", "2026-03"), ("dt", 20260314), ("dt", "14/03/2026"), ("dt", "2026-03-14Tx"), ("dt", ""),
                       ("dt", "2026-03-14T24:00:00Z"), ("dt", "2026-03-14T10"), ("co", "vn"), ("is", "x" * 81), ("ci", "x" * 81),
                       ("tg", 840539006), ("mp", "a\tb"), ("dt", Tag(0, "2026-03")), ("is", Tag(0, "x")), ("mp", Tag(99, "x"))):
        shown = f"tag {value.number}" if isinstance(value, Tag) else repr(value)[:24].replace("\\", "/")
        schema(f"v.{key} {shown}", dcc(v=[changed(V, **{key: value})]), f"v.{key}")
    for key, value in (("tr", "260415001"), ("tr", "negative"), ("sc", "08:30"), ("sc", "2026-09-20T08:60:00Z"),
                       ("sc", "2026-09-20T08:30:00+2"), ("sc", "2026-09-20T08:30:00.Z"), ("sc", "2026-09-20T08:30:00Zx"),
                       ("sc", 1790000000), ("sc", -1), ("sc", 1790000000.5), ("sc", (1 << 63)), ("nm", "x" * 81), ("tc", 5)):
        schema(f"t.{key} {repr(value)[:24]}", dcc("t", changed(T, **{key: value})), f"t.{key}")
    schema("r.du before 1971", dcc("r", changed(R, du="1970-12-31")), "r.du")


def write_certificates():
    trust, bad = HERE / "trust", HERE / "bad"
    trust.mkdir(parents=True, exist_ok=True)
    bad.mkdir(exist_ok=True)
    (trust / "all.pem").write_text(ALL.pem)
    (trust / "test.crt").write_text("Made-up signer for tests\n" + FOR_TEST.pem.replace("\n", "\r\n"))
    (trust / "recovery.cer").write_bytes(FOR_RECOVERY.der)
    (trust / "rsa.der").write_bytes(RSA.der)
    one_line = "-----BEGIN CERTIFICATE-----\n" + base64.b64encode(NO_USAGE.der).decode() + "\n-----END CERTIFICATE-----"
    (trust / "several.pem").write_text("# three\n" + FOR_VACCINATION.pem + one_line + "\n\n" + OTHER_USAGE.pem + PAST.pem + "\n")
    cases = {"rsa1024.der": Signer(rsa.generate_private_key(65537, 1024)).der,
             "p384.der": Signer(ec.generate_private_key(ec.SECP384R1())).der}
    signer = Signer.__new__(Signer)
    Signer.__init__(signer, ed25519.Ed25519PrivateKey.generate())
    cases["ed25519.der"] = signer.der
    cases["behind.der"] = ALL.der + b"\0"
    cases["cut.der"] = ALL.der[:-1]
    cases["cut.pem"] = ALL.pem.replace("-----END CERTIFICATE-----", "").encode()
    cases["letters.pem"] = ALL.pem.replace("MII", "MI!", 1).encode()
    cases["text.pem"] = b"not a certificate\n"
    cases["two-in-one.pem"] = ("-----BEGIN CERTIFICATE-----\n" + base64.b64encode(ALL.der + NO_USAGE.der).decode() +
                               "\n-----END CERTIFICATE-----\n").encode()
    for name, data in cases.items():
        (bad / name).write_bytes(data)


def main():
    positive()
    envelope()
    cose()
    keys()
    claims()
    schemas()
    write_certificates()
    (HERE / "hc1.tsv").write_text(
        "# EU-format health certificates: people, signers and keys made up by tests/data/make_hc1.py. Trusted: hc1/trust.\n"
        "# columns: what, payload (\\xHH escapes a byte), kind, fault, part of detail, subject, name, status, issued_at_s,\n"
        "# expires_at_s, warnings, aliases, name_compare; - is empty; then the checks as trust->explain has them (P passed,\n"
        "# F failed, - not reached; in the order of enum credential_check) and what is read of health, then too after a fault\n"
        + "\n".join(ROWS) + "\n", encoding="utf8")
    print(len(ROWS), "rows")


if __name__ == "__main__":
    main()
