"""Applications."""

from __future__ import annotations

from pydantic import Field

from stacks.model.base import FilePath, Label, Model, Port, Quantity, SecretName


class Requests(Model):
    """What each pod of an application is sure to have; nodes are chosen by it."""

    cpu: Quantity = Field(default="50m", description="processors, `m` for thousandths")
    memory: Quantity = Field(default="64Mi", description="bytes")


class Limits(Model):
    """What each pod of an application may use at most."""

    cpu: Quantity | None = Field(default=None, description="processors; without it, what the node has left")
    memory: Quantity = Field(default="256Mi", description="bytes; a process that wants more is ended")


class Resources(Model):
    """What an application's container needs, and what it may use."""

    limits: Limits = Field(default=Limits(), description="what it may use")
    requests: Requests = Field(default=Requests(), description="what it is sure to have")


class Secret(Model):
    """A text that is secret: a stack secret by its name, or one that is encrypted in its place."""

    secret: SecretName | None = Field(default=None, description="name of the stack secret")
    secure: str | None = Field(
        default=None,
        description="the text, encrypted, as `pulumi config set --secret --path` writes it",
    )


class ApplicationSpec(Model):
    """A stateless HTTP service, deployed alike in every region behind a ClusterIP service."""

    namespace: Label = Field(description="the namespace, one of `namespaces`")
    image: str = Field(description="the container image, with a tag other than latest, or a digest")
    image_pull_secret: SecretName | None = Field(
        default=None,
        description="name of the stack secret that holds `user:password` for the image's registry; for a "
        "login that all nodes have, see `sources.registries`",
    )
    port: Port = Field(default=8080, description="the port of the container and of its service")
    replicas: int = Field(default=1, ge=0, le=100, description="pods in each region")
    environment: dict[str, str | Secret] = Field(
        default={}, description="environment variables; pods start anew when a secret changes"
    )
    files: dict[FilePath, Secret] = Field(
        default={}, description="files that hold a secret, by path, for reading; as of `environment`"
    )
    writable: tuple[FilePath, ...] = Field(
        default=(), description="directories that can be written to, empty in a new pod; no others can"
    )
    run_as_user: int | None = Field(
        default=None,
        ge=1,
        le=2147483647,
        description="the number of the user that runs it, never root's; without it, the image's, which must "
        "be a number as well",
    )
    run_as_group: int | None = Field(
        default=None, ge=0, le=2147483647, description="the number of its group; without it, the image's"
    )
    liveness_path: str = Field(default="/healthz/live", pattern=r"^/", description="liveness probe's path")
    readiness_path: str = Field(default="/healthz/ready", pattern=r"^/", description="readiness probe's path")
    resources: Resources = Field(default=Resources(), description="what each pod needs and may use")
