"""Check a proof that `mrv explain --proof` wrote, with the standard library and rfc8785, and none of mrv_assets.

Usage: python check_proof.py PROOF AUDIT_HASH. Take the audit hash from somewhere you trust, not from the proof.
"""

import json
import sys
from hashlib import sha256
from pathlib import Path

import rfc8785


def unhex(text: str) -> bytes:
    return data if (data := bytes.fromhex(text)).hex() == text else sys.exit("NOT  digits in their one spelling")


def root(leaf: bytes, place: int, leaves: int, siblings: list[str]) -> bytes:
    """Root of a tree as RFC 6962 has it: its size and a leaf's place say how many siblings, and on which side."""
    if leaves == 1:
        return b"" if siblings else leaf
    [*below, last], cut = siblings, 1 << ((leaves - 1).bit_length() - 1)
    parts = [root(leaf, place % cut, cut if place < cut else leaves - cut, below), unhex(last)]
    return sha256(b"\1" + b"".join(parts if place < cut else parts[::-1])).digest()


def require(holds: bool, what: str) -> None:
    print(f"ok   {what}") if holds else sys.exit(f"NOT  {what}")


sys.excepthook = lambda kind, error, trace: sys.stderr.write(f"NOT  a whole proof: {error!r}\n")
proof, wanted = json.loads(data := Path(sys.argv[1]).read_bytes()), sys.argv[2]
row, blocks, chain = proof["row"]["values"], proof["blocks"], [("monthly_proxies", wanted)]
records = {sha256(rfc8785.dumps(record)).hexdigest(): record for record in proof["records"]}
for asset, audit_hash in chain:  # It grows: a record names those it was made from by their audit hashes.
    chain += (upstream := [(name, of) for name, of in records[audit_hash]["inputs"].items() if "/" in name])
    one, meant = records[audit_hash], ["mrv-record/1", asset, row["tile"], row["month"], asset.endswith("/raw_tiles")]
    bare = not upstream or (meant[4] and one["output"].get("status") == "NOT_EVALUATED")  # By another's decision.
    require([*map(one.get, ("schema", "asset", "tile", "month")), bare] == meant, f"{asset:<23} {audit_hash}")
said = [proof["schema"], proof["audit_hash"], list(records), len(proof["records"]), len(proof), len(proof["row"])]
meant = ["mrv-proof/1", wanted, list(dict.fromkeys(of for _, of in chain)), len(records), 5, 2]
require(said == meant and data == rfc8785.dumps(proof) + b"\n", "the file is of these records and of nothing else")
output, parcels = records[wanted]["output"], sorted(records[wanted]["plan"]["parcels"])
leaf, place = sha256(b"\0" + rfc8785.dumps(row)), parcels.index([row["parcel_id"], row["part"], row["geom_sha256"]])
found = root(leaf.digest(), place, len(parcels), proof["row"]["siblings"]).hex()
require(found == output["table"]["root"], f"{row['parcel_id']!r}, {row['month']}: row {place + 1} of {len(parcels)}")
arrays, leaves, gap = output["rasters"]["arrays"], {block["leaf"] for block in blocks}, b"\0\0\xc0\x7f"
for block in blocks:
    array, [y, x] = arrays[block["array"]], [512 * int(n) for n in block["leaf"].split(".")]
    h, w = (min(512, size - at) for size, at in zip(array["shape"], (y, x), strict=True))
    header = rfc8785.dumps({"array": block["array"], "dtype": "<f4", "origin": [y, x], "shape": [h, w]})
    size = sum(abs(part) if isinstance(part, int) else len(part) // 8 for part in block["values"])
    values = b"".join(gap * part if isinstance(part, int) else unhex(part) for part in block["values"] if size == h * w)
    leaf, written = sha256(b"\0" + len(header).to_bytes(4, "big") + header + values), array["written_blocks"]
    found = root(leaf.digest(), written.index(block["leaf"]), len(written), block["siblings"]).hex()
    require([found, len(block)] == [array["root"], 4], f"{h} x {w} pixels of {block['array']} from row {y}, column {x}")
means = sorted(name[:-5] for name, value in row.items() if name.endswith("_mean") and value is not None)
meant = [[name, leaf] for name in means for leaf in arrays[name]["written_blocks"] if leaf in leaves]
whole = [[block["array"], block["leaf"]] for block in blocks] == meant and bool(leaves) == bool(means)
require(whole, f"pixels for each value, and for no other: {', '.join(means) or 'there is none'}")
