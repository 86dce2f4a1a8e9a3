"""Where a band's link leads, as far as the link itself tells: known before anything is read, so part of the request."""

from mrv_assets.errors import HeaderRefused, HostRefused, HrefRefused
from mrv_assets.scenes.select import Scene, SceneBand
from mrv_assets.stac.source import Published
from mrv_assets.stages.mission_plan import MissionPlan


def link_of(scene: Scene, band: SceneBand, plan: MissionPlan, published: Published) -> str | HeaderRefused:
    """The object that a band's link means, or why it is not followed: told by the link, before anything is read."""
    collection = None if plan.source is None else plan.source.collection
    try:
        href = published.catalogue.absolute_href(scene.id, band.href, collection)
        published.check(href)
    except HrefRefused as refusal:
        return HeaderRefused("href_refused", f"band {band.name}: {refusal.reason}")
    except HostRefused as refusal:
        return HeaderRefused("host_refused", f"band {band.name}: {refusal.reason}")
    return href
