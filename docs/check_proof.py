"""Check a proof that `mrv explain --proof` wrote: the standard library, rfc8785, and none of mrv_assets.

Usage: python check_proof.py PROOF AUDIT_HASH, with the audit hash from whoever you trust for it.
"""

import base64
import hashlib
import json
import sys
import zlib

import rfc8785


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def root(leaf: bytes, siblings: list[list[str]]) -> str:
    for side, digest in siblings:
        other = bytes.fromhex(digest)
        leaf = sha256(b"\1", other, leaf) if side == "left" else sha256(b"\1", leaf, other)
    return leaf.hex()


def require(holds: bool, what: str) -> None:
    print(f"{'ok ' if holds else 'NOT'}  {what}")
    if not holds:
        sys.exit(1)


proof, wanted = json.load(open(sys.argv[1], "rb")), sys.argv[2]

# The audit hash of a record is the SHA-256 of its canonical JSON, and a record names what it was made from.
records = {sha256(rfc8785.dumps(record)).hex(): record for record in proof["records"]}
require(wanted in records, f"a record has the audit hash {wanted}")
chain = [wanted]
for audit_hash in chain:
    chain += [upstream for asset, upstream in records[audit_hash]["inputs"].items() if "/" in asset]
    require(set(chain) <= set(records), f"{records[audit_hash]['asset']} and what it was made from")
sources = [item for hash_ in chain for item in records[hash_]["inputs"].get("items", [])]
require(bool(sources) or records[wanted]["output"]["mission"] is None, f"the scenes it rests on: {len(sources)}")

output, row = records[wanted]["output"], proof["row"]
leaf = sha256(b"\0", rfc8785.dumps(row["values"]))
require(root(leaf, row["siblings"]) == output["table"]["root"], f"the row of {row['values']['parcel_id']} is in it")
print("    ", {name: value for name, value in row["values"].items() if name.endswith(("_mean", "_status"))})

for block in proof["blocks"]:
    header, values = rfc8785.dumps(block["header"]), zlib.decompress(base64.b64decode(block["values"]))
    leaf = sha256(b"\0", len(header).to_bytes(4, "big"), header, values)
    name, origin = block["header"]["array"], block["header"]["origin"]
    require(root(leaf, block["siblings"]) == output["rasters"]["arrays"][name]["root"], f"{name} at {origin} is in it")
