"""The target of a band's link, as the link itself tells it: known before anything is read, so part of the request."""

from mrv_assets.errors import HeaderRefused, HostRefused, HrefRefused
from mrv_assets.scenes.select import Scene, SceneBand
from mrv_assets.stac.source import Published
from mrv_assets.stages.mission_plan import MissionPlan


def link_of(scene: Scene, band: SceneBand, plan: MissionPlan, published: Published) -> str | HeaderRefused:
    """The object that a band's link names, or the reason why it is not followed; nothing is read for either."""
    collection = None if plan.source is None else plan.source.collection
    try:
        href = published.catalogue.absolute_href(scene.id, band.href, collection, item=scene.item)
        published.check(href)
    except HrefRefused as refusal:
        return HeaderRefused("href_refused", f"band {band.name}: {refusal.reason}")
    except HostRefused as refusal:
        return HeaderRefused("host_refused", f"band {band.name}: {refusal.reason}")
    return href
