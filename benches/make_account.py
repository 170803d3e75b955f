#!/usr/bin/env python3
"""Writes a synthetic AWS account (`get-account-authorization-details`).

usage: make_account.py OUT.json [--roles 5000] [--seed 1]

Roles and users are those of $LEAKGRAPH_CORPUS/identities/synthetic-gaad/gaad-100.json again and
again, with their trust policies, inline policies and boundaries; the managed policies each has
are drawn anew from all AWS-managed ones of identities/iam-dataset, common ones more often.
"""
import argparse, json, os, random
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("out", type=Path)
parser.add_argument("--roles", type=int, default=5000)
parser.add_argument("--seed", type=int, default=1)
arguments = parser.parse_args()
corpus = Path(os.environ["LEAKGRAPH_CORPUS"]) / "identities"
model = json.loads((corpus / "synthetic-gaad/gaad-100.json").read_text())
random.seed(arguments.seed)

managed = {}
for path in sorted((corpus / "iam-dataset/aws/managedpolicies").glob("*.json")):
    policy = json.loads(path.read_text())
    if policy.get("document"):
        managed[policy.get("arn") or f"arn:aws:iam::aws:policy/{path.stem}"] = policy["document"]
arns = sorted(managed)
random.shuffle(arns)
weights = [1 / (place + 10) for place in range(len(arns))]


def drawn(count):
    chosen = list(dict.fromkeys(random.choices(arns, weights, k=count)))
    return [{"PolicyName": arn.rsplit("/", 1)[-1], "PolicyArn": arn} for arn in chosen]


def again(items, count, name, kind):
    for place in range(count):
        item = json.loads(json.dumps(items[place % len(items)]))
        item[name] = f"{item[name]}-{place}"
        item["Arn"] = f"arn:aws:iam::111122223333:{kind}/{item[name]}"
        own = [row for row in item["AttachedManagedPolicies"] if ":111122223333:" in row["PolicyArn"]]
        item["AttachedManagedPolicies"] = own + drawn(len(item["AttachedManagedPolicies"]) - len(own))
        yield item


account = {
    "UserDetailList": list(again(model["UserDetailList"], arguments.roles // 20, "UserName", "user")),
    "GroupDetailList": model["GroupDetailList"],
    "RoleDetailList": list(again(model["RoleDetailList"], arguments.roles, "RoleName", "role")),
}
policies = {policy["Arn"]: policy for policy in model["Policies"]}
needed = {
    row["PolicyArn"]
    for kind in ("UserDetailList", "GroupDetailList", "RoleDetailList")
    for item in account[kind]
    for row in item["AttachedManagedPolicies"]
}
form = model["Policies"][0]
for arn in sorted(needed - set(policies)):
    version = dict(form["PolicyVersionList"][0], Document=managed[arn])
    policies[arn] = dict(form, Arn=arn, PolicyName=arn.rsplit("/", 1)[-1], PolicyVersionList=[version])
account["Policies"] = [policies[arn] for arn in sorted(policies)]
arguments.out.write_text(json.dumps(account))
print(f"{len(account['RoleDetailList'])} roles, {len(account['UserDetailList'])} users, {len(account['Policies'])} managed policies, {arguments.out.stat().st_size / 1e6:.1f} MB")
