#!/usr/bin/env python3
"""Builds a folder of logs to measure the scanner on. Nothing of it is ever committed.

    make_logs.py OUT --mb 220 [--repeated] [--seed 7] [--planted 2000]

Real lines come from $LEAKGRAPH_CORPUS/workflows. Without --repeated every copy of a log is
a different one: each token with a digit gets other digits and each third word other
letters, the same for the same token within one file, so that a file repeats itself as
much as the real one but files hardly repeat each other. With --repeated the files are
runs of the same jobs: other timestamps, ids and 3 % new lines.
`planted.tsv` beside OUT lists file, line, kind, disguise and value of each planted secret.
"""

import argparse, base64, hashlib, os, random, re, string, sys, zlib

TOKEN = re.compile(rb"[A-Za-z0-9]+")
STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z ")
ALNUM = string.ascii_letters + string.digits


def logs(corpus):
    for folder, _, names in sorted(os.walk(os.path.join(corpus, "workflows"))):
        for name in sorted(names):
            path = os.path.join(folder, name)
            is_log = name.endswith((".log", ".txt")) or "console" in name or "trace" in name
            if is_log and os.path.getsize(path) > 2000:
                with open(path, "rb") as file:
                    yield file.read()


class Variant:
    """Other digits and letters for the tokens of one file, the same for the same token."""

    def __init__(self, seed):
        self.seed = seed
        self.known = {}

    def token(self, match):
        word = match.group()
        if word not in self.known:
            self.known[word] = self.other(word)
        return self.known[word]

    def other(self, word):
        rng = random.Random(hash((self.seed, word)))
        has_digit = any(48 <= byte < 58 for byte in word)
        if not has_digit and (len(word) < 4 or rng.random() > 0.35):
            return word
        if has_digit and len(word) < 3:
            return word
        is_hex = has_digit and len(word) >= 7 and all(byte in b"0123456789abcdef" for byte in word)
        out = bytearray()
        for byte in word:
            if 48 <= byte < 58 and not is_hex:
                out.append(rng.choice(b"0123456789"))
            elif is_hex:
                out.append(rng.choice(b"0123456789abcdef"))
            elif byte in b"aeiou":
                out.append(rng.choice(b"aeiou"))
            elif has_digit and len(word) >= 20:
                out.append(rng.choice(ALNUM.encode()))
            else:
                out.append(byte)
        return bytes(out)

    def line(self, line):
        stamp = STAMP.match(line)
        cut = stamp.end() if stamp else 0
        return line[:cut] + TOKEN.sub(self.token, line[cut:])


def restamp(line, rng):
    stamp = STAMP.match(line)
    if not stamp:
        return line
    now = b"2026-%02d-%02dT%02d:%02d:%02d.%07dZ " % (
        rng.randint(1, 12), rng.randint(1, 28), rng.randint(0, 23), rng.randint(0, 59),
        rng.randint(0, 59), rng.randint(0, 9999999))
    return now + line[stamp.end():]


def base62(number, width):
    letters = string.digits + string.ascii_uppercase + string.ascii_lowercase
    out = ""
    for _ in range(width):
        number, digit = divmod(number, 62)
        out = letters[digit] + out
    return out


def marvin(body, seed):
    """Marvin32, its halves joined by xor (microsoft/security-utilities)."""
    mask = 0xFFFFFFFF
    turn = lambda number, by: (number << by | number >> 32 - by) & mask
    low, high = seed & mask, seed >> 32
    body += bytes([0x80]) + bytes(-(len(body) + 1) % 4)
    words = [int.from_bytes(body[at:at + 4], "little") for at in range(0, len(body), 4)]
    for word in words + [0]:
        low = (low + word) & mask
        high ^= low
        low = (turn(low, 20) + high) & mask
        high = turn(high, 9) ^ low
        low = (turn(low, 27) + high) & mask
        high = turn(high, 19)
    return low ^ high


def entra(body):
    """A client secret: the last three letters are the first of its checksum."""
    letters = string.ascii_lowercase + string.ascii_uppercase + "1234567890.-_~"
    number = marvin(body[:37].encode(), 0x4161645077643030)
    return body[:37] + "".join(letters[number // 66 ** place % 66] for place in (5, 4, 3))


def secrets(rng):
    """Kinds with their checksums; all of it made up."""
    def text(count, letters=ALNUM):
        return "".join(rng.choice(letters) for _ in range(count))

    def crc(prefix, count):
        body = text(count)
        return prefix + body + base62(zlib.crc32(body.encode()), 6)

    def jwt():
        part = lambda raw: base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")
        head = part('{"alg":"RS256","typ":"JWT"}')
        claims = part('{"iss":"https://issuer.test","sub":"%s","exp":1900000000}' % text(12))
        return ".".join([head, claims, text(86)])

    hexa, upper = "0123456789abcdef", string.ascii_uppercase + "234567"
    return {
        "github": lambda: crc("gh" + "p_", 30),
        "npm": lambda: crc("np" + "m_", 30),
        "aws": lambda: "AK" + "IA" + text(16, upper),
        "gitlab": lambda: "glp" + "at-" + text(20),
        "stripe": lambda: "sk_" + "live_" + text(24),
        "slack": lambda: "xo" + "xb-" + text(12, string.digits) + "-" + text(12, string.digits) + "-" + text(24),
        "anthropic": lambda: "sk-" + "ant-api03-" + text(93) + "AA",
        "digitalocean": lambda: "dop" + "_v1_" + text(64, hexa),
        "vault": lambda: "hv" + "s." + text(92),
        "google": lambda: "AI" + "za" + text(35),
        "sendgrid": lambda: "S" + "G." + text(22) + "." + text(43),
        "azure": lambda: entra(text(3) + "8" + "Q~" + text(34)),
        "jwt": jwt,
    }


def disguised(value, rng):
    """The name of a disguise, and the lines that show the value in it."""
    b64 = lambda raw: base64.b64encode(raw).decode()
    raw = value.encode()
    half = len(value) // 2
    forms = [
        ("plain", 50, ["export TOKEN=%s" % value]),
        ("base64", 14, ["data: %s" % b64(raw)]),
        ("base64x2", 10, ["blob %s" % b64(b64(raw).encode())]),
        ("ansi-around", 6, ["\x1b[1;32m%s\x1b[0m" % value]),
        ("ansi-inside", 4, ["token \x1b[36m%s\x1b[0m\x1b[35m%s\x1b[0m" % (value[:half], value[half:])]),
        ("split", 6, ["value %s" % value[:half], value[half:]]),
        ("hex", 4, ["dump %s" % raw.hex()]),
        ("percent", 4, ["GET /?t=%s" % "".join("%%%02X" % byte for byte in raw)]),
        ("json", 2, ['{"a":"{\\"token\\":\\"%s\\"}"}' % value]),
    ]
    return rng.choices(forms, [weight for _, weight, _ in forms])[0]


def plant(lines, rng, kinds, planted, name):
    kind = rng.choice(sorted(kinds))
    value = kinds[kind]()
    disguise, _, shown = disguised(value, rng)
    at = rng.randrange(len(lines) + 1)
    # Not into the midst of one that is split.
    while any(behind and lines[at:at + 1] == behind for _, behind, _ in planted):
        at += 1
    stamp = b"2026-11-02T09:14:07.1234567Z "
    lines[at:at] = [stamp + line.encode() for line in shown]
    planted.append((lines[at], lines[at + 1:at + len(shown)], [name, kind, disguise, value]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--mb", type=int, default=220)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--planted", type=int, default=2000)
    parser.add_argument("--repeated", action="store_true")
    options = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable] + sys.argv)
    if os.path.isdir(options.out) and os.listdir(options.out):
        sys.exit("%s: holds files that would be scanned, too" % options.out)
    corpus = os.environ["LEAKGRAPH_CORPUS"]
    rng = random.Random(options.seed)
    originals = list(logs(corpus))
    if options.repeated:
        originals = [log for log in originals if len(log) < 400_000][:60]
    kinds, planted = secrets(rng), []
    os.makedirs(options.out, exist_ok=True)
    copies = max(1, options.mb * 1_000_000 // sum(map(len, originals)))
    per_file = options.planted / (copies * len(originals))
    size = 0
    for copy in range(copies + 1):
        for index, log in enumerate(originals):
            if size > options.mb * 1_000_000:
                break
            name = "run%04d/job%03d.log" % (copy, index)
            variant = Variant((options.seed, copy, index))
            lines = log.split(b"\n")
            if options.repeated:
                fresh = lambda: rng.random() < 0.03
                lines = [restamp(variant.line(line) if fresh() else line, rng) for line in lines]
            else:
                lines = [restamp(variant.line(line), rng) for line in lines]
            here = []
            for _ in range(int(per_file) + (rng.random() < per_file % 1)):
                plant(lines, rng, kinds, here, name)
            # Where they stand is known when all of the file are in it.
            for line, _, (file, *what) in here:
                planted.append("\t".join([file, str(lines.index(line) + 1), *what]))
            path = os.path.join(options.out, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            data = b"\n".join(lines)
            size += len(data)
            with open(path, "wb") as file:
                file.write(data)
    with open(options.out.rstrip("/") + ".planted.tsv", "w") as file:
        file.write("\n".join(planted) + "\n")
    print("%d MB, %d planted" % (size // 1_000_000, len(planted)))


if __name__ == "__main__":
    main()
