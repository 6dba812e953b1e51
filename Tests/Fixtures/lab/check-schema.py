"""Reads a JSON object {"schema": ..., "files": [...]} and prints a line for each file: whether the schema accepts it."""
import json
import sys

import jsonschema

given = json.load(sys.stdin)
jsonschema.Draft202012Validator.check_schema(given["schema"])
validator = jsonschema.Draft202012Validator(given["schema"])
for file in given["files"]:
    print("yes" if validator.is_valid(file) else "no")
