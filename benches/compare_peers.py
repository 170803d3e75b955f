#!/usr/bin/env python3
"""Compares secret scanners as whole processes: speed, memory, recall and precision.

    compare_peers.py FOLDER --leakgraph BIN [--kingfisher BIN] [--betterleaks BIN] ...

FOLDER and FOLDER.planted.tsv are made by make_logs.py. Every tool named is run on the
folder without network, without asking any provider, with its own defaults but for what
hides or leaves out findings, and printed as a row of one Markdown table:

- MB per CPU second: size of the folder by user and system time of the whole process.
- found by value: planted secrets that the tool reports whole, whatever the disguise.
- found by line: planted secrets of which it reports anything in one of their lines.
- extra lines: lines with a report where nothing was planted. The real lines of the corpus
  hold passwords of examples, so not all of them are wrong, but they are the same for all.
- precision: reported lines with something planted, of all reported lines.

leakgraph never prints a secret: its rows are compared by keyed fingerprints, which
`leakgraph known import` makes of the planted values. detect-secrets prints SHA-1 digests.
"""

import argparse, collections, hashlib, json, os, re, shutil, subprocess, sys, tempfile

# A report: file within the folder, line, and the secret, its digest or its fingerprint.
Report = collections.namedtuple("Report", "file line value")
Planted = collections.namedtuple("Planted", "file first last kind disguise value")


def planted(folder):
    with open(folder.rstrip("/") + ".planted.tsv") as file:
        for row in file:
            name, line, kind, disguise, value = row.rstrip("\n").split("\t")
            first = int(line)
            yield Planted(name, first, first + (disguise == "split"), kind, disguise, value)


def inside(folder, path):
    path = path.removeprefix("file://")
    return os.path.relpath(path, folder) if os.path.isabs(path) else os.path.normpath(path)


def objects(text):
    """JSON lines, a JSON array, or one after the other."""
    decoder, at, found = json.JSONDecoder(), 0, []
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        one, at = decoder.raw_decode(text, at)
        found.extend(one if isinstance(one, list) else [one])
    return found


class Tool:
    """How to run a scanner and to read what it says."""

    writes_itself = False
    # Whether values are reported as digests.
    has_digests = False

    def __init__(self, program, folder, scratch):
        self.program, self.folder, self.scratch = program, folder, scratch
        self.out = os.path.join(scratch, "out.json")
        self.start_in = scratch

    def output(self):
        with open(self.out, errors="replace") as file:
            return file.read()

    def prepare(self, _values):
        pass

    def key(self, value):
        """What the tool reports of a planted value."""
        return value

    def has(self, report, key):
        return report == key if self.has_digests else key in report


class Leakgraph(Tool):
    has_digests = True
    least = "likely"

    def prepare(self, values):
        names = {"S%d" % number: value for number, value in enumerate(values)}
        vault = os.path.join(self.scratch, "vault.json")
        with open(vault, "w") as file:
            json.dump(names, file)
        lake = ["--lake", self.scratch]
        subprocess.run([self.program, "known", "import", *lake, vault], check=True, stdout=subprocess.DEVNULL)
        os.remove(vault)
        listed = subprocess.run(
            [self.program, "known", "list", *lake, "--format", "json"], check=True, stdout=subprocess.PIPE)
        kept = {row["kept_as"].rpartition("#")[2]: row["fingerprint"] for row in json.loads(listed.stdout)}
        self.keys = {value: kept.get(name) for name, value in names.items()}

    def command(self):
        return [self.program, "scan", "--lake", self.scratch, "--format", "ndjson",
                "--confidence", self.least, self.folder]

    def reports(self):
        for row in objects(self.output()):
            yield Report(inside(self.folder, row["path"]), row["line"], row["fingerprint"])

    def key(self, value):
        return self.keys[value]


class LeakgraphPossible(Leakgraph):
    least = "possible"


class Kingfisher(Tool):
    options = []

    def command(self):
        # Its check for updates waits for the network, and findings in other files are hidden.
        return [self.program, "scan", self.folder, "--no-validate", "--no-dedup", "--no-update-check",
                "--format", "json", *self.options]

    def reports(self):
        for scan in objects(self.output()):
            # A summary follows that counts them.
            for one in scan["findings"] if isinstance(scan["findings"], list) else []:
                found = one["finding"]
                yield Report(inside(self.folder, found["path"]), found["line"], found["snippet"])


class KingfisherTurbo(Kingfisher):
    options = ["--turbo"]


class Betterleaks(Tool):
    def command(self):
        return [self.program, self.folder, "--no-banner", "--jsonl", "--exit-code", "0"]

    def reports(self):
        for row in objects(self.output()):
            if "finding" in row:
                at = row["finding"]["location"]
                value = row["finding"]["match"]["value"]
                yield Report(inside(self.folder, at["path"]), at["start_line"], value)


class Gitleaks(Tool):
    writes_itself = True

    def command(self):
        return [self.program, "dir", self.folder, "--no-banner", "--max-decode-depth", "5",
                "--report-format", "json", "--report-path", self.out, "--exit-code", "0"]

    def reports(self):
        for row in objects(self.output()):
            yield Report(inside(self.folder, row["File"]), row["StartLine"], row["Secret"])


class Trufflehog(Tool):
    def command(self):
        return [self.program, "filesystem", self.folder, "--json", "--no-verification", "--no-update"]

    def reports(self):
        for row in objects(self.output()):
            if "SourceMetadata" in row:
                at = row["SourceMetadata"]["Data"]["Filesystem"]
                yield Report(inside(self.folder, at["file"]), at.get("line", 0), row["Raw"])


class Ripsecrets(Tool):
    def command(self):
        return [self.program, self.folder]

    def reports(self):
        # The whole line, so that what of it is the secret remains open.
        for row in self.output().splitlines():
            match = re.match(r"(.+?):(\d+):(.*)", row)
            if match:
                yield Report(inside(self.folder, match[1]), int(match[2]), match[3])


class Secretlint(Tool):
    def prepare(self, _values):
        config = {"rules": [{"id": "@secretlint/secretlint-rule-preset-recommend"}]}
        self.config = os.path.join(self.scratch, "secretlintrc.json")
        with open(self.config, "w") as file:
            json.dump(config, file)
        # Rules are looked for from here: PROGRAM is node_modules/.bin/secretlint.
        self.start_in = os.path.join(os.path.dirname(self.program), "..", "..")

    def command(self):
        return [self.program, "--secretlintrc", self.config, "--no-color", "--no-gitignore",
                "--no-maskSecrets", "--format", "json", os.path.join(self.folder, "**", "*")]

    def reports(self):
        for file in objects(self.output()):
            for message in file["messages"]:
                start, end = message["range"]
                value = file["sourceContent"][start:end]
                yield Report(inside(self.folder, file["filePath"]), message["loc"]["start"]["line"], value)


class DetectSecrets(Tool):
    has_digests = True

    def prepare(self, _values):
        self.start_in = self.folder

    def command(self):
        return [self.program, "scan", "--all-files", "--no-verify", "."]

    def reports(self):
        for result in objects(self.output()):
            for name, rows in result["results"].items():
                for row in rows:
                    yield Report(inside(self.folder, name), row["line_number"], row["hashed_secret"])

    def key(self, value):
        return hashlib.sha1(value.encode()).hexdigest()


class Credsweeper(Tool):
    writes_itself = True

    def command(self):
        return [self.program, "--path", self.folder, "--save-json", self.out, "--log", "silence"]

    def reports(self):
        for row in objects(self.output()):
            for line in row["line_data_list"]:
                yield Report(inside(self.folder, line["path"]), line["line_num"], line["value"] or "")


TOOLS = {
    "leakgraph": [("leakgraph", Leakgraph), ("leakgraph --confidence possible", LeakgraphPossible)],
    "kingfisher": [("Kingfisher", Kingfisher), ("Kingfisher --turbo", KingfisherTurbo)],
    "betterleaks": [("Betterleaks", Betterleaks)],
    "gitleaks": [("gitleaks", Gitleaks)],
    "trufflehog": [("TruffleHog", Trufflehog)],
    "secretlint": [("secretlint", Secretlint)],
    "ripsecrets": [("ripsecrets", Ripsecrets)],
    "credsweeper": [("CredSweeper", Credsweeper)],
    "detect-secrets": [("detect-secrets", DetectSecrets)],
}

# Seconds, seconds and megabytes.
Cost = collections.namedtuple("Cost", "cpu wall rss")
# After so many CPU seconds a tool is not run again.
ENOUGH_SECONDS = 60


# A process of its own, so that no tool starts as a copy of this one and its memory.
LAUNCHER = """
import os, subprocess, sys, time
started = time.monotonic()
process = subprocess.Popen(sys.argv[1:], stderr=subprocess.DEVNULL)
_, _, used = os.wait4(process.pid, 0)
print(used.ru_utime + used.ru_stime, time.monotonic() - started, used.ru_maxrss / 1000, file=sys.stderr)
"""


def run(tool, isolated):
    """Runs a tool once; what it cost, with all of its children."""
    command = [sys.executable, "-c", LAUNCHER] + (["unshare", "-rn"] if isolated else []) + tool.command()
    with open(os.devnull if tool.writes_itself else tool.out, "w") as out:
        result = subprocess.run(
            command, stdout=out, stderr=subprocess.PIPE, cwd=tool.start_in, text=True, check=True)
    return Cost(*map(float, result.stderr.split()))


def median(tool, isolated, rounds):
    """Of so many runs by CPU; one is enough of what takes minutes."""
    costs = []
    while len(costs) < rounds and sum(cost.cpu for cost in costs) < ENOUGH_SECONDS:
        costs.append(run(tool, isolated))
    return sorted(costs)[len(costs) // 2]


def judge(tool, secrets):
    """How many planted secrets were found by value and by line, and which lines are extra."""
    by_file = collections.defaultdict(list)
    for report in tool.reports():
        by_file[report.file].append(report)
    values, lines, true_lines = collections.Counter(), collections.Counter(), set()
    for one in secrets:
        here = by_file.get(one.file, [])
        at = {(one.file, line) for line in range(one.first, one.last + 1)}
        true_lines |= at
        key = tool.key(one.value)
        values[one.disguise] += any(report.value and key and tool.has(report.value, key) for report in here)
        lines[one.disguise] += any((report.file, report.line) in at for report in here)
    reported = {(report.file, report.line) for reports in by_file.values() for report in reports}
    return values, lines, reported, reported - true_lines


def version(program):
    for option in ("--version", "version"):
        result = subprocess.run([program, option], capture_output=True, text=True, check=False)
        match = re.search(r"\d+\.\d+(\.\d+)?[\w.-]*", result.stdout + result.stderr)
        if match:
            return match[0]
    return "?"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each tool; the median of CPU counts")
    for name in TOOLS:
        parser.add_argument("--" + name, metavar="PROGRAM")
    options = vars(parser.parse_args())
    folder = os.path.abspath(options["folder"])
    secrets = list(planted(folder))
    size = sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(folder) for name in names)
    isolated = subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode == 0
    if not isolated:
        print("no network namespace: tools may reach the network", file=sys.stderr)
    print("%.1f MB, %d planted secrets\n" % (size / 1e6, len(secrets)))
    print("| tool | MB per CPU second | CPU s | wall s | peak RSS MB | found by value | found by line "
          "| extra lines | precision |\n|---|---|---|---|---|---|---|---|---|")
    disguises = collections.Counter(one.disguise for one in secrets)
    shares = []
    for name, rows in TOOLS.items():
        program = options[name.replace("-", "_")]
        if not program:
            print("%s: not given" % name, file=sys.stderr)
            continue
        program = os.path.abspath(shutil.which(program) or program)
        for title, kind in rows:
            with tempfile.TemporaryDirectory() as scratch:
                tool = kind(program, folder, scratch)
                tool.prepare([one.value for one in secrets])
                cost = median(tool, isolated, options["rounds"])
                values, lines, reported, extra = judge(tool, secrets)
            precision = "%.1f %%" % (100 * (len(reported) - len(extra)) / len(reported)) if reported else "–"
            print("| %s %s | %.1f | %.2f | %.2f | %.0f | %d | %d | %d | %s |" % (
                title, version(program), size / 1e6 / cost.cpu, cost.cpu, cost.wall, cost.rss,
                values.total(), lines.total(), len(extra), precision), flush=True)
            shares.append((title, values))
    print("\nFound by value, by disguise:\n\n| tool | %s |" % " | ".join(disguises))
    print("|---|%s" % ("---|" * len(disguises)))
    print("| of | %s |" % " | ".join(map(str, disguises.values())))
    for title, values in shares:
        print("| %s | %s |" % (title, " | ".join(str(values[disguise]) for disguise in disguises)))


if __name__ == "__main__":
    main()
