"""The whole examination: plan, run, and clean up what was put into the clusters."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from access.errors import AccessError
from live.checks import COLUMNS
from live.doctor.model import CheckResult
from live.doctor.platform import Platform
from live.doctor.probes import DEADLINE_SECONDS, NAMESPACE, TTL_SECONDS, Probes
from live.doctor.runner import run_checks
from report.progress import Say


def examine(platform: Platform, tell: Say) -> tuple[list[CheckResult], list[str]]:
    """Run all checks; what they found, and in words what could not be removed from the clusters.

    `tell` hears how far they are. Probe pods are removed however it ends.
    """
    checks = [check for column in COLUMNS for check in column.checks(platform)]
    try:
        results = run_checks(checks, tell)
    finally:
        with ThreadPoolExecutor(len(platform.probes) or 1) as pool:
            leftovers = [words for words in pool.map(_remove, platform.probes.items()) if words]
    return results, leftovers


def _remove(entry: tuple[str, Probes]) -> str:
    region, probes = entry
    try:
        probes.remove()
    except AccessError as error:
        return (
            f"probe pods in {region} could not be removed ({error.message}); they end by themselves within "
            f"{DEADLINE_SECONDS + TTL_SECONDS} s; the namespace {NAMESPACE} stays until the next examination"
        )
    return ""
