"""`mrv qa list` for a terminal."""

from mrv_assets.audit.canonical import Json
from mrv_assets.reports.terminal import plain


def shown(answer: Json) -> str:
    """What waits, each tile-month with its missions, decisions and ways out."""
    if not answer["waiting"]:
        return "Nothing waits: every month in the lake has a mission whose gate is open."
    return "\n\n".join(_item(item) for item in answer["waiting"])


def _item(item: Json) -> str:
    lines = [f"{item['tile']} {item['month']}, {item['age_days']} days since the month ended"]
    for mission in item["missions"]:
        coverage = "" if mission["coverage"] is None else f", clear {mission['coverage']:.4f} of the parcels' area"
        reasons = f" ({', '.join(mission['reasons'])})" if mission["reasons"] else ""
        lines.append(
            f"  {mission['mission']}: {mission['status']}{reasons}{coverage}, needed {mission['min_coverage']:.2f}"
        )
        lines.append(f"    record {mission['record']}")
        if mission["quick_look"]:
            lines.append(f"    quick-look {mission['quick_look']}")
        lines += [f"    {plain(_decision(decision))}" for decision in mission["decisions"]]
    return "\n".join([*lines, *(f"  would pass: {way}" for way in item["would_pass"])])


def _decision(decision: Json) -> str:
    how = "signed" if decision["authenticated"] else "asserted, not authenticated"
    return (
        f"{decision['verdict']} by {decision['reviewer']}, {decision['role']} ({how}), {decision['decided_at']}: "
        f"{decision['reason']}"
    )
