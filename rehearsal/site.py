"""The twin's own site: a lab, a state backend, and a copy of the project for each declaration."""

from __future__ import annotations

import json
import secrets
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import yaml

import toolchain
from access import engine
from access.outputs import Outputs, parse_outputs
from gate.timeline import Phase, phases, spans
from gate.workspace import Workspace, apart, copy_project
from rehearsal.commands import Ended, Surroundings
from rehearsal.errors import RehearsalError
from rehearsal.objects import Objects, workloads
from rehearsal.place import Place, place
from rehearsal.twin import Lab, Twin, lab_of
from report.errors import OperationsError
from report.progress import Say
from stacks.load import Stack, load_stack, stack_path
from stacks.write import copy_secrets

NAMES = tuple(f"twin-{number}" for number in range(1, 10))
"""Labs that a rehearsal may take: the first one that is free, and whose network is nobody's."""
_REFERENCE = "lab"
"""The lab, and the stack, that `make up` brings up."""
_LAB_SECONDS = 1800.0
_BUILD_SECONDS = 7200.0
_UP_SECONDS = 2400.0
"""Seconds until no further step of an `up` is begun."""
_CROSSMESH_SECONDS = 900.0
_KUBECTL_SECONDS = 120.0
_ROLLOUT_SECONDS = 120.0
"""Until what was brought along counts as not rolled out: for all of a region together."""
_ROOT_KEY = "meshRootKey"


@dataclass(frozen=True)
class Applied:
    """How the engine brought a declaration about."""

    succeeded: bool
    words: str
    """Why it did not."""
    phases: tuple[Phase, ...]
    """What took its time."""
    changes: int
    """Operations that changed something."""


@dataclass(frozen=True)
class Grounds:
    """A copy of the project with the twin's declaration in place of the stack's."""

    workspace: Workspace
    say: Say
    """Hears what its commands say of their work."""

    @property
    def surroundings(self) -> Surroundings:
        """Where its commands run."""
        return Surroundings(self.workspace.directory, self.workspace.environment, self.say)

    def crossmesh(self, *arguments: str, check: bool = True) -> Ended:
        """`crossmesh ARGUMENTS --stack STACK`. Raises as `Surroundings.run` does."""
        arguments = ("operations", *arguments, "--stack", self.workspace.stack)
        return self.surroundings.python(*arguments, timeout=_CROSSMESH_SECONDS, check=check)

    def report(self, *arguments: str) -> dict[str, Any]:
        """What a command that examines says of the stack, whatever that is. Raises as `crossmesh` does."""
        ended = self.crossmesh(*arguments, "--report", "json=-", check=False)
        try:
            (found,) = json.loads(ended.stdout)["stacks"]
        except (ValueError, KeyError) as error:
            raise RehearsalError(f"`crossmesh {arguments[0]}` on the twin: {ended.words}") from error
        return dict(found)

    def up(self) -> Applied:
        """`pulumi up`, followed by its events."""
        arguments = ["up", "--stack", self.workspace.stack, "--yes", "--skip-preview", "--json"]
        where = self.surroundings
        events: list[dict[str, Any]] = []
        results: list[str] = []
        errors: list[str] = []
        with engine.stream(arguments, directory=where.directory, environment=where.environment) as stream:
            late = threading.Timer(_UP_SECONDS, stream.send, [signal.SIGINT])
            late.start()
            try:
                for event in stream.events():
                    events.append(dict(event))
                    if metadata := (event.get("resourcePreEvent") or {}).get("metadata"):
                        where.say(f"{metadata['op']} {metadata['urn'].rpartition('::')[2]}")
                    if (said := event.get("diagnosticEvent") or {}).get("severity") == "error":
                        errors.append(str(said.get("message", "")).strip())
                    if "summaryEvent" in event:
                        results.append(str(event["summaryEvent"].get("result")))
            finally:
                late.cancel()
                stream.end()
            succeeded = stream.returncode == 0 and results == ["succeeded"]
            words = "\n".join(errors) or stream.words
        done = spans(event for event in events if "timestamp" in event)
        return Applied(succeeded, words, tuple(phases(done)), len(done))

    def bring(self, several: Sequence[Objects], region: str) -> list[str]:
        """Apply what others manage to a region's cluster, and wait until it is rolled out.

        Returns what was not rolled out in time, with the reason. Raises `RehearsalError` where one is
        refused.
        """
        kubeconfig = self.workspace.directory / f"kubeconfig-{region}"
        self.crossmesh("kubeconfig", "--region", region, "--output", str(kubeconfig))
        kubectl = str(toolchain.program("kubectl"))
        found: list[tuple[str, str]] = []
        for objects in several:
            self.say(f"{objects.path.name} is applied to {region}")
            applied = self.surroundings.run(
                [kubectl, *objects.arguments(kubeconfig)], timeout=_KUBECTL_SECONDS
            )
            found += workloads(json.loads(applied.stdout))
        missing: list[str] = []
        until = time.monotonic() + _ROLLOUT_SECONDS
        for namespace, name in found:
            self.say(f"{region}: {namespace}/{name} is rolled out")
            left = max(1, int(until - time.monotonic()))
            where = [f"--kubeconfig={kubeconfig}", f"--namespace={namespace}"]
            command = [kubectl, *where, "rollout", "status", name, f"--timeout={left}s"]
            ended = self.surroundings.run(command, timeout=left + _KUBECTL_SECONDS, check=False)
            if ended.code:
                missing.append(f"region {region}: {namespace}/{name} was not rolled out: {ended.words}")
        return missing

    def outputs(self) -> Outputs:
        """The twin's outputs."""
        stack = self.workspace.stack
        told = self.workspace.pulumi("stack", "output", "--json", "--show-secrets", "--stack", stack)
        return parse_outputs(stack, json.loads(told.stdout))


class Site:
    """What a rehearsal stands on, from nothing to nothing."""

    def __init__(self, root: Path, directory: Path, stack: str, say: Say) -> None:
        """root: the checkout. directory: for copies and the state. stack: whose twin it is."""
        self._root = root
        self._directory = directory
        self._stack = stack
        self._say = say
        self._secrets: Path | None = None
        self.name = ""

    def declared(self, ref: str | None) -> Stack:
        """The stack as a commit declares it, or the working tree; a copy of the project is made for it."""
        directory = self._copy(ref)
        copy_project(self._root, directory, ref)
        file = stack_path(self._stack, directory)
        if not file.is_file():
            raise RehearsalError(f"stack {self._stack!r}: {ref or 'the working tree'} has no {file.name}")
        return load_stack(file, require_ledger=False)

    def choose(self, taken: list[IPv4Network]) -> None:
        """Take a lab that does not run, and whose network is none of those that are taken."""
        for name in NAMES:
            found = json.loads(self._lab("status", "--json", name=name, check=False).stdout)
            network = IPv4Network(found["addresses"]["network"])
            used = found["network"] or any(about["running"] for about in found["machines"].values())
            if not used and not any(network.overlaps(one) for one in taken):
                self.name = name
                return
        raise RehearsalError(
            "no lab is free for the twin",
            fix=f"stop one of {', '.join(NAMES)} (`python -m lab stop --name {NAMES[0]}`); or see that the "
            "environment's networks leave one of 10.64.0.0/16 to 10.191.0.0/16 alone",
        )

    def install(self, releases: Mapping[str, list[str]]) -> None:
        """Have the programs of these releases, by program. Builds what is not there, which takes minutes."""
        named = [f"{program}-{version}" for program, several in releases.items() for version in several]
        self._here().python("toolchain", "install", *sorted(named), timeout=_BUILD_SECONDS)

    def start(self, regions: Mapping[str, tuple[str, ...]], prefixes: list[str], releases: Any) -> Place:
        """Start machines. regions: names of machines by region. prefixes: that the lab's router accepts."""
        names = {f"region-{number}": region for number, region in enumerate(regions, 1)}
        described = yaml.safe_load((self._root / "lab" / "reference.yaml").read_text())
        described["regions"] = {name: list(regions[region]) for name, region in names.items()}
        described["fabric"]["acceptedPrefixes"] = prefixes
        described["mirror"]["releases"] = releases
        spec = self._directory / "lab.yaml"
        spec.write_text(yaml.safe_dump(described))
        self._lab("start", "--spec", str(spec))
        return place(json.loads(self._lab("addresses").stdout), names)

    def lab(self, where: Place) -> Lab:
        """What declarations of this lab have: as the reference lab's, at this one's addresses."""
        network = json.loads(self._lab("addresses", name=_REFERENCE).stdout)["network"]
        theirs, ours = (".".join(str(one).split(".")[:2]) for one in (network, where.network))
        text = stack_path(_REFERENCE, self._root).read_text()
        text = text.replace(f"{theirs}.", f"{ours}.").replace(f"/labs/{_REFERENCE}/", f"/labs/{self.name}/")
        return lab_of(yaml.safe_load(text))

    def grounds(self, ref: str | None, twin: Twin) -> Grounds:
        """The copy that was made for `ref`, with the twin's declaration and secrets that are nobody's."""
        workspace = apart(self._copy(ref), self._directory / "backend", self._stack)
        made, file = Grounds(workspace, self._say), workspace.stack_file
        file.write_text(yaml.safe_dump({"config": dict(twin.config)}, sort_keys=False))
        known = yaml.safe_load(self._secrets.read_text())["config"] if self._secrets else {}
        lacking = [name for name in twin.secrets if f"crossmesh:{name}" not in known]
        if self._secrets:
            here = [_ROOT_KEY, *(name for name in twin.secrets if name not in lacking)]
            copy_secrets(self._secrets, file, here)
        else:
            made.crossmesh("secrets", "init")
        for name in lacking:
            # The engine writes the file anew; of the twin's nobody reads the comments.
            told = ("config", "set", "--secret", f"crossmesh:{name}", "--stack", self._stack)
            workspace.pulumi(*told, stdin=f"twin:{secrets.token_urlsafe(12)}")
        self._secrets = file
        return made

    def stop(self) -> None:
        """Stop the lab, if one was taken."""
        if self.name:
            self._lab("stop")

    def _copy(self, ref: str | None) -> Path:
        return self._directory / ("base" if ref else "head")

    def _here(self) -> Surroundings:
        return Surroundings(self._root, engine.environment(self._root), self._say)

    def _lab(self, verb: str, *arguments: str, name: str = "", check: bool = True) -> Ended:
        arguments = ("lab", verb, "--name", name or self.name, *arguments)
        return self._here().python(*arguments, timeout=_LAB_SECONDS, check=check)


def end(site: Site, say: Say) -> None:
    """Stop a site whatever happened; what does not stop is said and hides nothing."""
    with suppress(OperationsError):
        site.stop()
        return
    say(f"the lab {site.name} could not be stopped: `python -m lab stop --name {site.name}`")
