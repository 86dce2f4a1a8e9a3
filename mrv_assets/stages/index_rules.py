"""What a programme says that indices are made by: they record it, and whoever reads them asks for it."""

from mrv_assets.audit.canonical import Json
from mrv_assets.missions.mission import Power, described
from mrv_assets.science.speckle import manifest
from mrv_assets.stages.mission_plan import MissionPlan


def index_rules(plan: MissionPlan) -> Json:
    """The programme's rules for a mission's indices; None for what is not done to it, which no manifest holds."""
    radiometry, bandpass = plan.mission.radiometry, plan.bandpass
    return {
        "bandpass": None if bandpass is None else described(bandpass),
        "speckle": manifest(plan.treatment.speckle, radiometry.looks) if isinstance(radiometry, Power) else None,
    }
