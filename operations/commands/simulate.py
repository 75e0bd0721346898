"""`crossmesh simulate`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

import click
from rich.table import Table
from rich.text import Text

from access.paths import stack_file
from operations.commands import HELP
from operations.commands.options import console, exit_codes, stack_option
from report.errors import ConfigurationError
from report.exit_codes import ExitCode
from stacks.errors import StackFileError
from stacks.guarantees import Guarantee, guarantees, within
from stacks.load import load_stack
from stacks.model import Environment
from stacks.simulation import (
    MOST,
    Convergence,
    Row,
    State,
    Verified,
    answers_in,
    convergence,
    single_states,
    verify,
)
from stacks.wording import suggestion

_region = partial(click.option, multiple=True, metavar="REGION")


@click.command(context_settings=HELP)
@stack_option
@_region("--down", help="A region whose gateway is down; several times for several.")
@_region("--drained", help="A region that is drained, beside those that the declaration drains.")
@_region("--partitioned", help="A region that is up, and cut off from all others.")
@_region("--held", help="A region that failed, is up again, and is held out (`holdDown`, `return: byHand`).")
@click.option(
    "--guarantees", "promises", is_flag=True, help="What holds under each fault, and within how long."
)
@click.option("--json", "as_json", is_flag=True, help="One object: bounds, verification, rows.")
@exit_codes(engine=False)
def simulate(
    stack: str,
    down: tuple[str, ...],
    drained: tuple[str, ...],
    partitioned: tuple[str, ...],
    held: tuple[str, ...],
    promises: bool,
    as_json: bool,
) -> None:
    """Show what DNS answers clients of each place, in states of the regions; nothing is asked or touched.

    Without a state: all up, and each region by itself down, drained, partitioned, and held out where that may
    be. All states of up to 10 regions are gone through besides: no answer may be empty, none may have a
    drained region, and none a dead one while a region is healthy. Exit code 1 when one does.
    """
    path = stack_file(stack)
    try:
        environment = load_stack(path, require_ledger=False).environment
    except StackFileError as error:
        raise ConfigurationError(str(error)) from error
    if environment.global_load_balancer is None:
        raise ConfigurationError(
            f"{path}: no `globalLoadBalancer` is declared, so no name is answered. Add it."
        )
    if promises:
        _promise(guarantees(environment.global_load_balancer), as_json=as_json)
        return
    told = {"down": down, "drained": drained, "partitioned": partitioned, "held": held}
    _known(told, environment)
    state = State(**{name: frozenset(regions) for name, regions in told.items()})
    states = single_states(environment) if state == State() else [state]
    rows = list(answers_in(environment, states))
    verified = verify(environment) if len(environment.regions) <= MOST else None
    if as_json:
        click.echo(json.dumps(_document(environment, rows, verified), indent=2))
    else:
        _show(environment, rows, verified)
    if verified and verified.problems:
        sys.exit(ExitCode.TOOL_ERROR)


def _promise(found: Sequence[Guarantee], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("fault", "promised", "within", "not promised"):
        table.add_column(title, overflow="fold")
    for each in found:
        table.add_row(each.fault, each.promised, within(each), each.not_promised)
    console().print(table)


def _known(told: dict[str, tuple[str, ...]], environment: Environment) -> None:
    for name, regions in told.items():
        for region in regions:
            if region not in environment.regions:
                fix = suggestion(region, environment.regions, f"regions: {', '.join(environment.regions)}")
                raise click.BadParameter(f"there is no region '{region}': {fix}", param_hint=f"--{name}")
    balancer = environment.global_load_balancer
    if told["held"] and not (balancer and balancer.health_check.holds):
        raise click.BadParameter(
            "no region is ever held out: neither `holdDown` nor `return: byHand` is declared.",
            param_hint="--held",
        )
    if not environment.regions.keys() - set(told["drained"]):
        raise click.BadParameter("all regions: names would lead nowhere.", param_hint="--drained")


def _document(environment: Environment, rows: Sequence[Row], verified: Verified | None) -> dict[str, object]:
    return {
        "seconds": {
            name: asdict(bound) | {"total": bound.total} for name, bound in _bounds(environment).items()
        },
        "verified": asdict(verified) if verified else None,
        "rows": [asdict(row) for row in rows],
    }


def _bounds(environment: Environment) -> dict[str, Convergence]:
    balancer = environment.global_load_balancer
    assert balancer is not None
    check = balancer.health_check
    return {"lost": convergence(check, balancer.ttl), "back": convergence(check, balancer.ttl, up=True)}


def _show(environment: Environment, rows: Sequence[Row], verified: Verified | None) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("host", "clients", "regions", "name servers", "answer"):
        table.add_column(title, overflow="fold")
    for row in rows:
        answer = row.answer if row.healthy else f"{row.answer} (it sees none of them healthy)"
        table.add_row(
            row.host, row.clients, row.state, row.servers, Text(answer, "" if row.healthy else "yellow")
        )
    console().print(table)
    balancer = environment.global_load_balancer
    by_hand = balancer is not None and balancer.health_check.comeback == "byHand"
    for name, bound in _bounds(environment).items():
        what = (
            "Nobody is led to a region that is lost"
            if name == "lost"
            else "All may be led to one that was returned by hand"
            if by_hand
            else "All may be led to one that is back"
        )
        click.echo(
            f"{what} after {bound.total:.1f} s at most: {bound.seen:.0f} s until it is seen, "
            f"{bound.taken:.1f} s until gdnsd has it, {bound.cached:.0f} s TTL."
        )
    if verified is None:
        click.echo(f"Not gone through: all states, which are too many of more than {MOST} regions.")
    elif not verified.problems:
        words = (
            "no answer is empty, and none has a region that is drained, or down while another one is healthy"
        )
        click.echo(f"{verified.views} answers, which are all that there can be, were gone through: {words}.")
    for problem in verified.problems if verified else ():
        click.echo(problem, err=True)
