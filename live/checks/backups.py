"""Is the newest backup of each cluster's etcd as young as declared?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from access.errors import AccessError
from access.stores import store
from live import backups
from live.doctor import keys
from live.doctor.model import Check, Evidence, Finding, NotMeasurable, Watch
from live.doctor.platform import Platform
from stacks.model import Environment


def checks(platform: Platform) -> list[Check]:
    """One for each cluster on machines, where backups are declared."""
    environment = platform.stack.environment
    if environment.backups is None:
        return []
    return [
        Check(
            keys.backup(region),
            "clusters",
            f"etcd of {region} has a backup that is young enough",
            partial(check_backup, platform, region),
            region=region,
            declared=("backups",),
        )
        for region, spec in environment.regions.items()
        if spec.cluster.kind == "bareMetal" and region in platform.regions
    ]


def wanted(environment: Environment) -> str:
    """What is declared of backups, in words."""
    declared = environment.backups
    assert declared is not None, "there is no check without it"
    where = store(declared.destination).where
    return f"a backup in {where} that is at most {declared.max_age_hours} hours old"


def check_backup(platform: Platform, region: str, watch: Watch) -> Finding:
    """A backup counts by its name, which it gets once it was opened again and compared."""
    evidence = Evidence(wanted(platform.stack.environment))
    declared = platform.stack.environment.backups
    assert declared is not None, "there is no check without it"
    place, most = store(declared.destination), timedelta(hours=declared.max_age_hours)
    watch.at(place.where)
    try:
        kept = backups.kept(place, platform.stack.name, region)
    except AccessError as error:
        raise NotMeasurable(error.message, error.fix) from error
    command = f"crossmesh runbook run backup-etcd region={region} --yes"
    if not kept:
        evidence.problem(
            f"there is no backup of {region} in {place.where}",
            f"Make one, and have a scheduler do so: `{command}`. A directory has to be there where the "
            "doctor runs.",
            runbook=f"backup-etcd region={region}",
        )
        return evidence.finding("none")
    age = datetime.now(UTC) - kept[-1].taken
    hours = age.total_seconds() / 3600
    if age > most:
        evidence.warning(
            f"the newest backup of {region} is {hours:.0f} hours old, more than {declared.max_age_hours}",
            f"See why the scheduler does not run `{command}`.",
        )
    else:
        evidence.note(f"{kept[-1].name} is there")
    return evidence.finding(f"{len(kept)} backups, the newest {hours:.1f} hours old")
