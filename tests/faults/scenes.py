"""The scenes: what is broken in each. All end alike, by one audit."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.faults.audit import Finding
from tests.faults.disk import small_disk
from tests.faults.network import Proxy, namespace
from tests.faults.stage import Stage, own_server
from tests.faults.town import CHANNELS, Hand, Town

BOTH, MANY, ONE = ("sqlite", "postgresql"), ("postgresql",), ("sqlite",)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# It is 21:30 in Kyiv, and at 03:00 it will be 04:00.
NIGHT: Mapping[str, Any] = {
    "start": datetime(2026, 3, 28, 19, 30, tzinfo=UTC), "quiet": "quiet_hours: 21:00-09:00", "expires_in": 4,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scene:
    """What is broken, and on which databases. `own` is what it needs for itself: nothing, a `server` to be
    broken, or a `disk`; `plan` is what its town is like.
    """

    play: Callable[[Stage, Town], None]
    databases: tuple[str, ...] = BOTH
    own: str = ""
    plan: Mapping[str, Any] = field(default_factory=dict)


def killed(stage: Stage, town: Town) -> None:
    """SIGKILL of whoever works, amid messages, receipts and wishes; another one takes over."""
    hands = stage.hands(town)
    town.phones.hand_out(town.workspace, town.ports()[0], town.some(("email",), 3))
    town.till.open()
    for number in stage.turns("killed"):
        town.wait_for(stage.dice.randint(5, 30), 5.0)
        victim = stage.dice.choice(hands)
        town.interrupt_amid_work(victim)
        hands[hands.index(victim)] = town.start(*victim.words[:1])
        town.outlast_the_lease()
        _wish(town)
        town.phones.listen(town.ports()[0])
        stage.say(f"kill {number} ({victim.words[0]}): {town.accepted():,} taken over")


def _wish(town: Town) -> None:
    """Somebody pays with what was about to expire, somebody says STOP; who of them was told is chance."""
    for customer in town.some(("email", "push"), 1):
        town.till.spend(customer)
    for customer in town.some(("sms", "email"), 1):
        town.till.stop(customer)


def frozen(stage: Stage, town: Town) -> None:
    """SIGSTOP until the lease is long over and others have done the work; then SIGCONT."""
    hands = stage.hands(town, serves=2)
    town.till.open()
    for number in stage.turns("frozen"):
        town.wait_for(stage.dice.randint(5, 30), 5.0)
        victim = stage.dice.choice(hands)
        town.freeze_past_the_lease(victim)
        before = town.accepted()
        town.wait_for(20, 3.0)
        victim.thaw()
        stage.say(f"frozen {number} ({victim.words[0]}): meanwhile {town.accepted() - before} taken over")
        town.wait_for(10, 2.0)
        _wish(town)
    # What plays next needs no crowd.
    town.interrupt(stage.dice.choice(hands))


def commands(stage: Stage, town: Town) -> None:
    """SIGKILL of `tick`, `import` and other commands, beside a service that goes on; each is given again."""
    stage.hands(town)
    town.till.open()
    for number in stage.turns("commands"):
        file, names = _receipts(town, number, 40)
        words = [
            ("tick",), ("import", "receipts", str(file), "--live"), ("pause", "--channel", "email"),
            ("retry", "--failed", "--scenario", "thanks"),
        ]  # fmt: skip
        stage.dice.shuffle(words)
        for each in words:
            _killed_at_some_time(stage, town, each)
        town.command("resume", "--channel", "email")
        if town.command("import", "receipts", str(file), "--live") == 0:
            town.evidence.imported |= names
        town.outlast_the_lease()
        stage.say(f"commands {number}: {town.accepted():,} taken over")


def _killed_at_some_time(stage: Stage, town: Town, words: tuple[str, ...]) -> None:
    hand = town.start(*words)
    stage.pause(0.6)
    if words[0] == "tick":
        town.interrupt(hand)
    hand.kill()


def _receipts(town: Town, number: int, count: int) -> tuple[Path, set[str]]:
    """A file of purchases of this morning, and their names."""
    at = (town.clock.now() - HOUR).isoformat()
    names = {f"F{number}-{line}": town.some(CHANNELS, 1)[0] for line in range(count)}
    rows = [f"{name},{who},{at},coffee,1,150.00" for name, who in names.items()]
    file = town.folder / f"receipts-{number}.csv"
    file.write_text("\n".join(["receipt,customer,at,sku,quantity,total", *rows]) + "\n", "utf-8")
    return file, set(names)


def database(stage: Stage, town: Town) -> None:
    """PostgreSQL restarted: fast, at once, and by SIGKILL of its postmaster, under all that works on it."""
    hands = stage.hands(town)
    town.till.open()
    modes = ["kill", "immediate", "fast"]
    for number in stage.turns("database"):
        town.wait_for(stage.dice.randint(5, 30), 5.0)
        mode = modes[(number - 1) % len(modes)]
        stage.restart(town, mode)
        _again(town, hands)
        stage.say(f"PostgreSQL restarted ({mode}): {town.accepted():,} taken over")
        town.wait_for(10, 5.0)
        _wish(town)


def _again(town: Town, hands: list[Hand]) -> None:
    """Whoever ended is started again, as `Restart=always` does."""
    for hand in [hand for hand in hands if not hand.lives]:
        hands[hands.index(hand)] = town.start(hand.words[0])


def full_disk(stage: Stage, town: Town) -> None:
    """Not a byte is left for the database; then there is room again."""
    disk = stage.disk
    assert disk is not None
    hands = stage.hands(town)
    town.till.open()
    for number in stage.turns("full-disk"):
        town.wait_for(stage.dice.randint(5, 30), 5.0)
        disk.fill()
        town.evidence.interruptions += len(hands)
        stage.pause(2.0)
        disk.free()
        if stage.server is not None and stage.server._process and stage.server._process.poll() is not None:
            stage.restart(town, "immediate")
        _again(town, hands)
        went_on = town.wait_for(10, 10.0)
        stage.say(f"disk full {number}: {town.accepted():,} taken over{'' if went_on else ', slowly'}")
        _wish(town)


def providers(stage: Stage, town: Town) -> None:
    """The mail server and the HTTP providers die amid their work, and come back."""
    stage.hands(town)
    town.till.open()
    for number in stage.turns("providers"):
        town.wait_for(stage.dice.randint(5, 30), 5.0)
        name = stage.dice.choice(sorted(town.providers))
        town.evidence.interruptions += 1
        town.providers[name].go_down()
        stage.pause(0.5)
        town.providers[name].come_up()
        # What was refused is tried again after a while.
        town.outlast_the_lease()
        stage.say(f"provider {number} ({name}) restarted: {town.accepted():,} taken over")
        _wish(town)


def clock(stage: Stage, town: Town) -> None:
    """The clock jumps an hour and a day, forward and back, under a service at work."""
    stage.hands(town)
    town.till.open()
    jumps = [HOUR, -HOUR, DAY, -DAY]
    for number in stage.turns("clock"):
        town.wait_for(stage.dice.randint(5, 20), 3.0)
        by = jumps[(number - 1) % len(jumps)]
        town.jump(by)
        town.wait_for(10, 3.0)
        _wish(town)
        stage.say(f"clock by {by.total_seconds() / 3600:+.0f} h: {town.accepted():,} taken over")
    # What was recorded by a clock that was a day ahead is due once that day has come.
    town.jump(DAY + HOUR)


def summer_time(stage: Stage, town: Town) -> None:
    """The night in which the clocks go forward, hour by hour and back by one: quiet hours stay quiet."""
    server = town.start("serve")
    for customer in town.some(("push", "sms", "email"), 10):
        town.till.buy(customer, 100)
    server.kill()
    hours = [1, 3, 1, -1, 1, 5] if stage.rounds is None else [5, -1, 5]
    heard: list[str] = []
    for hour in hours:
        town.later(hour * HOUR)
        town.command("tick")
        if town.accepted():
            heard.append(f"{town.accepted()} at {town.clock.now():%H:%M} UTC")
    stage.findings.append(
        Finding("quiet hours", f"ticks of the night, {len(hours)}: silent", len(hours), heard)
    )
    town.later(3 * HOUR)
    town.command("tick")
    stage.say(f"the night is over: {town.accepted()} taken over at {town.clock.now():%H:%M} UTC")


def leaders(stage: Stage, town: Town) -> None:
    """Processes that are all convinced that they lead: everything is looked at once all the same."""
    hands = [town.start("serve", leads=True) for _ in range(2)]
    if stage.kind == "postgresql":
        hands.append(town.start("worker", leads=True))
    town.till.open()
    for number in stage.turns("leaders"):
        town.wait_for(30, 5.0)
        victim = stage.dice.choice(hands)
        town.interrupt(victim)
        hands[hands.index(victim)] = town.start(victim.words[0], leads=True)
        town.outlast_the_lease()
        stage.say(f"{len(hands)} leaders, one replaced {number}: {town.accepted():,} taken over")
    for hand in hands:
        town.interrupt(hand)


def network(stage: Stage, town: Town) -> None:
    """The way between one process and its database is cut; the others go on, and it comes back."""
    assert stage.server is not None
    socket = f"{stage.server.folder}/.s.PGSQL.{stage.server.settings['port']}"
    stage.hands(town)
    place = stage.stack.enter_context(namespace())
    if place is None:
        stage.say("this machine permits no namespaces: a proxy breaks the way, and drops no packets")
    host = place.host if place else "127.0.0.1"
    proxy = Proxy(socket, host)
    stage.stack.callback(proxy.close)
    surroundings = _seen_from_afar(town, stage, place.host) if place else {}
    own = {"TIDINGS_DATABASE": f"postgresql://tidings@{host}:{proxy.port}/postgres", **surroundings}

    def begin() -> Hand:
        return town.start("worker", namespace=place.name if place else None, more=own)

    far = begin()
    town.till.open()
    for number in stage.turns("network"):
        town.wait_for(stage.dice.randint(10, 30), 5.0)
        town.evidence.interruptions += 1
        way = stage.dice.choice(["silent", "broken off", *(["cut"] if place else [])])
        if way == "cut" and place:
            way = place.cut(proxy.port)
        elif way == "silent":
            proxy.go_silent()
        else:
            proxy.break_off()
        town.outlast_the_lease()
        town.wait_for(20, 5.0)
        if place:
            place.mend(proxy.port)
        proxy.go_on()
        # Whoever ends because of it is started again, as `Restart=always` does.
        far = far if far.lives else begin()
        stage.say(f"network {number} ({way}): {town.accepted():,} taken over")
        _wish(town)


def _seen_from_afar(town: Town, stage: Stage, host: str) -> Mapping[str, str]:
    """The providers, as they are reached from another network."""
    ways = {name: Proxy(("127.0.0.1", _port_of(server)), host) for name, server in town.providers.items()}
    for way in ways.values():
        stage.stack.callback(way.close)
    pushes = f"http://{host}:{ways['push'].port}"
    # What is sent is signed for by a token, and that comes from there, too.
    account = town.providers["push"].account | {"token_uri": f"{pushes}/token"}
    return {
        "TIDINGS_EMAIL_HOST": host,
        "TIDINGS_EMAIL_PORT": str(ways["email"].port),
        "TIDINGS_SMS_BASE_URL": f"http://{host}:{ways['sms'].port}",
        "TIDINGS_PUSH_BASE_URL": pushes,
        "TIDINGS_PUSH_SERVICE_ACCOUNT": json.dumps(account),
    }


def _port_of(server: object) -> int:
    port = getattr(server, "port", None)
    return int(port if port is not None else str(getattr(server, "url")).rpartition(":")[2])  # noqa: B009


SCENES: Mapping[str, Scene] = {
    "killed": Scene(killed),
    "frozen": Scene(frozen),
    "commands": Scene(commands),
    "database": Scene(database, MANY, "server"),
    "full-disk": Scene(full_disk, BOTH, "disk"),
    "providers": Scene(providers),
    "clock": Scene(clock),
    "summer-time": Scene(summer_time, plan=NIGHT),
    "leaders": Scene(leaders),
    "network": Scene(network, MANY, "server"),
}


def perform(stage: Stage, *names: str) -> Town | None:
    """Play scenes one after the other in one town; None where this machine does not permit what one needs."""
    scenes = [SCENES[name] for name in names]
    needs = {scene.own for scene in scenes}
    if "disk" in needs:
        stage.disk = stage.stack.enter_context(small_disk(400 if stage.kind == "postgresql" else 60))
        if stage.disk is None:
            return None
        stage.folder = stage.disk.folder if stage.kind == "sqlite" else stage.folder
    if stage.kind == "postgresql" and needs != {""}:
        stage.server = own_server(stage.stack, stage.disk.folder if stage.disk else None)
        stage.server.start()
        stage.url = stage.server.url()
    town = stage.town(**scenes[0].plan)
    for scene in scenes:
        scene.play(stage, town)
    return town
