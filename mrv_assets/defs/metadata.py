"""Metadata of a materialization, as a compliance officer reads it in the UI: most important first."""

import base64
import io
from typing import Any

import dagster as dg
import numpy as np
from numpy.typing import NDArray

from mrv_assets.audit.canonical import Json, digest
from mrv_assets.formats.artifacts import decision_of, observations_of
from mrv_assets.formats.picture import stored_picture
from mrv_assets.stages.materialize import Materialized

THUMBNAIL_BYTES = 6000
"""Most bytes of a picture in metadata, which is stored as an event in Dagster's database; the lake has it in full."""

Metadata = dict[str, Any]


def metadata_of(done: Materialized, reproductions: int) -> Metadata:
    """The metadata of one materialization of any asset.

    Args:
        done: The materialization.
        reproductions: Number of times its request was computed again with the same output.
    """
    document = done.record.document
    first: Metadata = {}
    last: Metadata = {}
    match done.record.partition.stage:
        case _ if not done.record.evaluated:
            reasons = ", ".join(document["output"]["reasons"])
            first = {"gate_status": document["output"]["status"], "reasons": reasons}
        case "raw_tiles":
            last = _scenes(observations_of(done.record), document["output"]["refused"])
            last["completeness"] = dg.MetadataValue.json(document["output"]["completeness"])
        case "indices":
            last = {"unavailable": dg.MetadataValue.json(document["output"]["attrs"]["unavailable"])}
        case "gated_tiles":
            first, last = _gate(decision_of(done.record))
            last = {"coverage_picture": thumbnail(stored_picture(done.record)), **last}
        case "monthly_proxies":
            first = {
                "gate_status": ", ".join(f"{m} {s}" for m, s in document["output"]["decisions"].items()),
                "mission": document["output"]["mission"] or "none",
                **_fusion(document["output"].get("fusion")),
            }
            last = {
                "parcels": document["output"]["table"]["rows"],
                "index_picture": thumbnail(stored_picture(done.record)),
            }
    return {
        **first,
        "audit_hash": done.audit_hash,
        "outcome": done.outcome.value,
        "reproduced": reproductions,
        "upstream": _upstream(document["inputs"]),
        **last,
        "parameters": dg.MetadataValue.json(_short(document["plan"])),
        "path": dg.MetadataValue.path(str(done.path)),
    }


def _fusion(fusion: Json | None) -> Metadata:
    """Share of the parcels' area from each mission, and the radar beside; empty without fusion."""
    if fusion is None:
        return {}
    shares = {f"{source['mission']}_share": source["share"] for source in fusion["sources"]}
    return {**shares, "beside": fusion["beside"] or "none"}


def _gate(decision: Json) -> tuple[Metadata, Metadata]:
    first = {
        "gate_status": decision["status"],
        "reasons": ", ".join(decision["reasons"]) or "none",
        "coverage": decision["coverage"],
        "min_coverage": decision["min_coverage"],
    }
    last: Metadata = {
        "coverages": dg.MetadataValue.json(
            {
                "clear of parcels": decision["coverage"],
                "clear of active blocks": decision["valid_of_footprint"],
                "active blocks of tile": decision["footprint_of_tile"],
            }
        ),
        "parcels_passed": f"{sum(p['passed'] for p in decision['parcels'])} of {len(decision['parcels'])}",
        "scenes": dg.MetadataValue.table(
            [
                dg.TableRecord(
                    {
                        "scene": scene,
                        "time": observation["datetime"],
                        "clear of parcels": observation["clear_of_parcels"],
                        "used": observation["used"],
                        "reason": observation["reason"] or "",
                    }
                )
                for observation in decision["observations"]
                for scene in observation["scenes"]
            ],
            _schema("scene", "time", "clear of parcels", "used", "reason"),
        ),
    }
    return first, last


def _scenes(observations: list[Json], refused: list[Json]) -> Metadata:
    rows = [
        {
            "scene": scene["id"],
            "time": scene["datetime"],
            "offset rule": scene["offset_rule"],
            "findings": "; ".join(scene["findings"]),
            "refused": "",
        }
        for observation in observations
        for scene in observation["scenes"]
    ] + [
        {"scene": r["id"], "time": "", "offset rule": "", "findings": "", "refused": f"{r['code']}: {r['detail']}"}
        for r in refused
    ]
    return {
        "scenes": dg.MetadataValue.table(
            [dg.TableRecord(row) for row in rows], _schema("scene", "time", "offset rule", "findings", "refused")
        )
    }


def _upstream(inputs: Json) -> dg.TableMetadataValue:
    hashes = [dg.TableRecord({"asset": name, "audit_hash": value}) for name, value in inputs.items() if "/" in name]
    # raw_tiles comes from scenes; the digests of their items can be compared with the catalogue.
    items = [
        dg.TableRecord({"asset": f"STAC item {item['id']}", "audit_hash": item["item_sha256"]})
        for item in inputs.get("items", [])
    ]
    return dg.MetadataValue.table(hashes + items, _schema("asset", "audit_hash"))


def _schema(*names: str) -> dg.TableSchema:
    return dg.TableSchema([dg.TableColumn(name) for name in names])


def _short(manifest: Json) -> Json:
    """The parameter manifest with long values as their digests; the record has them in full."""

    def short(key: str, value: Any) -> Any:
        if key == "mission":
            return {"name": value["name"], "sha256": digest(value)}
        if isinstance(value, list) and len(value) > 12:
            return {"count": len(value), "sha256": digest(value)}
        return value

    return {key: short(key, value) for key, value in manifest.items()}


def thumbnail(picture: NDArray[np.uint8]) -> dg.MarkdownMetadataValue:
    """A picture inline in Markdown, halved in size until it fits ``THUMBNAIL_BYTES``."""
    from PIL import Image

    image = Image.fromarray(picture).convert("P", palette=Image.Palette.ADAPTIVE, colors=64)
    while True:
        buffer = io.BytesIO()
        image.save(buffer, "PNG", optimize=True)
        text = base64.b64encode(buffer.getvalue()).decode()
        if len(text) <= THUMBNAIL_BYTES - 60:
            return dg.MetadataValue.md(f"![preview](data:image/png;base64,{text})")
        image = image.resize((max(1, image.width // 2), max(1, image.height // 2)))
