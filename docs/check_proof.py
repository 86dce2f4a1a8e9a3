"""Check a proof that `mrv explain --proof` wrote, with the standard library and rfc8785, and none of mrv_assets.

Usage: python check_proof.py PROOF AUDIT_HASH. Take the audit hash from somewhere you trust, not from the proof.
"""

import hashlib
import json
import sys
import zlib
from base64 import b64decode
from pathlib import Path

import rfc8785


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def root(leaf: bytes, place: int, leaves: int, siblings: list[str]) -> bytes:
    """Root of a tree as RFC 6962 has it: its size and a leaf's place say how many siblings, and on which side."""
    if leaves == 1:
        return b"" if siblings else leaf
    [*below, last], cut = siblings, 1 << ((leaves - 1).bit_length() - 1)
    if place < cut:
        return sha256(b"\1", root(leaf, place, cut, below), bytes.fromhex(last))
    return sha256(b"\1", bytes.fromhex(last), root(leaf, place - cut, leaves - cut, below))


def require(holds: bool, what: str) -> None:
    print(f"ok   {what}") if holds else sys.exit(f"NOT  {what}")


sys.excepthook = lambda kind, error, trace: sys.stderr.write(f"NOT  a whole proof: {error!r}\n")
proof, wanted = json.loads(data := Path(sys.argv[1]).read_bytes()), sys.argv[2]
row, blocks, chain = proof["row"]["values"], proof["blocks"], [("monthly_proxies", wanted)]
records = {sha256(rfc8785.dumps(record)).hex(): record for record in proof["records"]}
for asset, audit_hash in chain:  # It grows: a record names those it was made from by their audit hashes.
    chain += (upstream := [(name, of) for name, of in records[audit_hash]["inputs"].items() if "/" in name])
    said = [*(records[audit_hash][field] for field in ("schema", "asset", "tile", "month")), not upstream]
    meant = ["mrv-record/1", asset, row["tile"], row["month"], asset.endswith("/raw_tiles")]
    require(said == meant, f"{asset:<23} {audit_hash}")
head = [proof["schema"], proof["audit_hash"], len(proof["records"]), len(proof), len(proof["row"])]
require(head == ["mrv-proof/1", wanted, len(chain), 5, 2], "the file is of these records and of nothing else")
output, parcels = records[wanted]["output"], sorted(records[wanted]["plan"]["parcels"])
leaf, place = sha256(b"\0", rfc8785.dumps(row)), parcels.index([row["parcel_id"], row["part"], row["geom_sha256"]])
found = root(leaf, place, len(parcels), proof["row"]["siblings"]).hex()
require(found == output["table"]["root"], f"{row['parcel_id']!r}, {row['month']}: row {place + 1} of {len(parcels)}")
for block in blocks:
    array, [y, x] = output["rasters"]["arrays"][block["array"]], [512 * int(n) for n in block["leaf"].split(".")]
    h, w = (min(512, size - at) for size, at in zip(array["shape"], (y, x), strict=True))
    header = rfc8785.dumps({"array": block["array"], "dtype": "<f4", "origin": [y, x], "shape": [h, w]})
    values = zlib.decompressobj().decompress(b64decode(block["values"]), 4 * h * w + 1)
    leaf, written = sha256(b"\0", len(header).to_bytes(4, "big"), header, values), array["written_blocks"]
    found = root(leaf, written.index(block["leaf"]), len(written), block["siblings"]).hex()
    said, meant = [found, len(values), len(block)], [array["root"], 4 * h * w, 4]
    require(said == meant, f"{h} x {w} pixels of {block['array']} from row {y}, column {x}")
means = {name[:-5] for name, value in row.items() if name.endswith("_mean") and value is not None}
once = data == rfc8785.dumps(proof) + b"\n" and means <= {block["array"] for block in blocks}
require(once, f"all in one spelling, with pixels for each value: {', '.join(sorted(means)) or 'there is none'}")
