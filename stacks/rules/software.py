"""Rules over versions, software sources and secrets."""

from __future__ import annotations

from stacks.errors import KeyPath
from stacks.rules.check import Check
from stacks.versions import ISTIO_RUNS_ON, SUPPORTED, minor, runs_on
from stacks.wording import suggestion

MESH_ROOT_KEY = "meshRootKey"
ROOT_KEY_PATH = ("config", f"crossmesh:{MESH_ROOT_KEY}")


def versions_are_supported(check: Check) -> None:
    """A version is one of those that were tested.

    Another fails late, at a download, or in ways that nobody has seen.
    """
    for part, versions in SUPPORTED.items():
        version = getattr(check.environment.versions, part)
        if check.intact("versions", part) and version not in versions:
            check.problem(
                ("versions", part),
                version,
                f"supported versions of {part}: {', '.join(versions)}",
                f"write {versions[-1]}",
            )


def istio_supports_the_kubernetes_version(check: Check) -> None:
    """Istio supports the version of Kubernetes that it runs on: otherwise istiod may read objects wrong."""
    versions = check.environment.versions
    known = versions.istio in SUPPORTED["istio"] and versions.kubernetes in SUPPORTED["kubernetes"]
    if check.intact("versions") and known and not runs_on(versions.istio, versions.kubernetes):
        allowed = ISTIO_RUNS_ON.get(minor(versions.istio), ())
        check.problem(
            ("versions", "kubernetes"),
            f"Kubernetes {versions.kubernetes} with Istio {versions.istio}",
            f"Istio {minor(versions.istio)} runs on Kubernetes {', '.join(allowed)}",
            "change one of the two versions",
        )


def apt_sources_have_names_of_their_own(check: Check) -> None:
    """A source's name is its file's on every host.

    Of two with one name the second would replace the first.
    """
    first: dict[str, int] = {}
    for index, source in enumerate(check.environment.sources.apt):
        path = ("sources", "apt", index)
        if source.name in first:
            check.problem(
                (*path, "name"),
                f"the name '{source.name}' again; line {first[source.name]} has it already",
                "each apt source has a name of its own",
                "rename one",
            )
        first.setdefault(source.name, check.line(*path, "name"))


def apt_sources_name_their_components(check: Check) -> None:
    """A suite has components, a flat repository (its suite ends with /) has none: apt refuses else."""
    for index, source in enumerate(check.environment.sources.apt):
        flat = source.suite.endswith("/")
        if flat == bool(source.components):
            shown = ", ".join(source.components) or "no components"
            check.problem(
                ("sources", "apt", index),
                f"the suite {source.suite} with {shown}",
                "a suite has components; a flat repository, whose suite ends with /, has none",
                "write `components: []`" if flat else "write for example `components: [main]`",
            )


def images_have_a_fixed_tag(check: Check) -> None:
    """An image names a tag other than `latest`, or a digest.

    Otherwise two nodes may run two different programs.
    """
    images: dict[KeyPath, str] = {("probeImage",): check.environment.probe_image}
    for name, application in check.environment.applications.items():
        images["applications", name, "image"] = application.image
    for path, image in images.items():
        if "@sha256:" in image:
            continue
        _, _, tag = image.rpartition("/")[2].partition(":")
        if not tag or tag == "latest":
            check.problem(
                path,
                image,
                "an image has a tag other than `latest`, or a digest",
                f"write {image.removesuffix(':latest').removesuffix(':')}:<version>",
            )


def secrets_are_there(check: Check) -> None:
    """Secrets that the declaration needs are in the file: found before any host is touched, not half way."""
    if not check.require_secrets:
        return
    if MESH_ROOT_KEY not in check.secrets and check.document.get(ROOT_KEY_PATH) is None:
        check.problem_at(
            ROOT_KEY_PATH,
            "nothing",
            "the key of the mesh's root of trust is a secret of the stack",
            f"run `crossmesh secrets init --stack {check.stack}`",
        )
    for region, cluster in check.adopted():
        name = cluster.kubeconfig_secret
        if name not in check.secrets:
            near = suggestion(name, check.secrets - {MESH_ROOT_KEY}, "")
            set_it = f"run `pulumi config set --secret --stack {check.stack} {name} < kubeconfig`"
            check.problem(
                ("regions", region, "cluster", "kubeconfigSecret"),
                f"the name '{name}', and no such secret",
                f"the stack secret `crossmesh:{name}` holds the kubeconfig of the adopted cluster",
                f"{near} or {set_it}" if near else set_it,
            )


RULES = (
    versions_are_supported,
    istio_supports_the_kubernetes_version,
    apt_sources_have_names_of_their_own,
    apt_sources_name_their_components,
    images_have_a_fixed_tag,
    secrets_are_there,
)
