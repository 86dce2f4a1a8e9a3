"""The programme's rules for computing indices: their record states them, and stages that read indices require them."""

from mrv_assets.audit.canonical import Json
from mrv_assets.missions.mission import Power, described
from mrv_assets.science.speckle import manifest
from mrv_assets.stages.mission_plan import MissionPlan


def index_rules(plan: MissionPlan) -> Json:
    """The programme's rules for a mission's indices; None for a step that it lacks, which manifests leave out."""
    radiometry, bandpass = plan.mission.radiometry, plan.bandpass
    return {
        "bandpass": None if bandpass is None else described(bandpass),
        "speckle": manifest(plan.treatment.speckle, radiometry.looks) if isinstance(radiometry, Power) else None,
    }
