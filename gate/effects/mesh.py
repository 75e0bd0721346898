"""The mesh: what its proxies do, and how its clusters trust each other."""

from __future__ import annotations

from components.manifests.mesh import ISTIOD
from components.tokens import ISTIO_CONTROL_PLANE, REGION
from gate.effects.column import Column, Drawing, Effect, Judged
from gate.effects.scene import Scene, application_of, below, metadata
from report.model import Change, Op, Resource, Risk
from report.urns import kind, parent_type

_CONFIGURED = "what proxies and gateways are configured with changes"


def _configuration(change: Change, scene: Scene) -> Judged | None:
    """Whether it is what proxies are configured with."""
    resource = change.resource
    if application_of(resource):
        # What its pods read; that they start anew is said of them.
        return None
    configures = kind(resource) == "Secret" or parent_type(resource) == ISTIO_CONTROL_PLANE
    return (Risk.TRAFFIC, _CONFIGURED) if configures and change.op is not Op.CREATE else None


def _control_plane_goes(change: Change, scene: Scene) -> Judged | None:
    """Whether istiod goes and its cluster stays: proxies keep to the one by whose revision they were made."""
    resource = change.resource
    its_own = parent_type(resource) == ISTIO_CONTROL_PLANE and change.op in (Op.DELETE, Op.REPLACE)
    if not its_own or below(metadata(resource), "labels").get("app") != ISTIOD:
        return None
    if not any(region.region == resource.region for region in scene.after.of(REGION)):
        return None
    why = "pods keep to it until they start anew: they hear nothing new and get no new certificate"
    return Risk.DESTRUCTIVE, why


def _draw(scene: Scene, drawing: Drawing) -> None:
    """A link between clusters of which one has the other's remote secret."""
    joins: dict[tuple[str, str], list[Resource]] = {}
    for region, secrets in scene.by_region("Secret").items():
        for secret in secrets:
            if below(metadata(secret), "labels").get("istio/multiCluster"):
                peer = str(below(metadata(secret), "annotations").get("networking.istio.io/cluster"))
                joins.setdefault((min(region, peer), max(region, peer)), []).append(secret)
    for (one, other), secrets in sorted(joins.items()):
        drawing.link(f"cluster:{one}", f"cluster:{other}", "mesh", secrets)


COLUMN = Column(
    name="mesh",
    kinds={
        "AuthorizationPolicy": Effect(traffic="who may call whom changes", cuts=True),
        "ConfigMap": Effect(judge=_configuration),
        "Deployment": Effect(judge=_control_plane_goes),
        "DestinationRule": Effect(traffic="how requests are spread changes"),
        "EnvoyFilter": Effect(traffic="what proxies do with requests changes", cuts=True),
        "MutatingWebhookConfiguration": Effect(traffic="which pods get a sidecar changes"),
        "PeerAuthentication": Effect(traffic="what plain requests are met with changes", cuts=True),
        "RequestAuthentication": Effect(traffic="which tokens are accepted changes", cuts=True),
        "Secret": Effect(judge=_configuration),
        "ServiceEntry": Effect(traffic="what the mesh knows of the outside changes"),
        "Sidecar": Effect(traffic="what proxies know changes"),
    },
    draw=_draw,
)
