"""Applications."""

from __future__ import annotations

from pydantic import Field

from stacks.model.base import Label, Model, Port


class ApplicationSpec(Model):
    """A stateless HTTP service, deployed alike in every region behind a ClusterIP service."""

    namespace: Label = Field(description="the namespace, one of `namespaces`")
    image: str = Field(description="the container image, with a tag other than latest, or a digest")
    port: Port = Field(default=8080, description="the port of the container and of its service")
    replicas: int = Field(default=1, ge=0, le=100, description="pods in each region")
    environment: dict[str, str] = Field(default_factory=dict, description="environment variables")
    liveness_path: str = Field(
        default="/healthz/live", pattern=r"^/", description="path of the liveness probe"
    )
    readiness_path: str = Field(
        default="/healthz/ready", pattern=r"^/", description="path of the readiness probe"
    )
