"""A stateless service in one cluster."""

from __future__ import annotations

from collections.abc import Sequence

from pulumi import Resource

from components import tokens
from components.build import Build
from components.component import Component
from components.kubernetes_object import declare_all
from components.manifests import applications
from stacks.model import ApplicationSpec


class Application(Component):
    """One application in one region."""

    token = tokens.APPLICATION

    ready: Sequence[Resource]
    """What a route to it must wait for."""

    def __init__(self, build: Build, region: str, name: str, spec: ApplicationSpec) -> None:
        declared, parent = ("applications", name), build.regions[region]
        super().__init__(region, name, parent=parent, region=region, declared=declared)
        secrets = build.secrets
        texts = {
            key: secrets.text(text, (*declared, *path))
            for key, (path, text) in applications.secret_texts(spec).items()
        }
        pull = spec.image_pull_secret
        objects = declare_all(
            applications.objects(
                name,
                spec,
                region=region,
                secrets=texts,
                digest=secrets.digest(texts) if texts else None,
                pull_config=secrets.pull_config(pull, spec.image) if pull else None,
            ),
            parent=self,
            cluster=build.clusters[region],
            after=build.namespaces[region, spec.namespace].ready,
        )
        self.ready = objects.of("Deployment", "Service")
        self.register_outputs({"namespace": spec.namespace})


def build(build: Build) -> None:
    """Every declared application in every region, all alike."""
    for region in build.regions:
        for name, spec in sorted(build.environment.applications.items()):
            build.applications[region, name] = Application(build, region, name, spec)
