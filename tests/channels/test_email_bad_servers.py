"""Servers that misbehave: each message has the right outcome, and the rest of the campaign leaves."""

import asyncio
import datetime as dt
import ipaddress
import os
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from channels import Accepted, Failed, Outcome, Outgoing, Unknown, create
from tests.channels.helpers import AnyChannel, outcomes_of, outgoing, run
from tests.channels.providers.email import Server as Usual

DROP, SILENCE = "drop", "silence"
Answer = Callable[[int, str, str], str | None]


def usual(connection: int, verb: str, to: str) -> str | None:
    return None


class Server:
    """Answers as `answer(connection, verb, recipient)` says, else as a good server; the content is `.`."""

    def __init__(
        self, answer: Answer = usual, *, pipelining: bool = True, forgetful: bool = False, drip: bool = False,
        greeting: Callable[[int], str] = lambda _: "220 here", tls: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        self._answer, self._greeting, self._tls = answer, greeting, tls
        self._pipelining, self._forgetful, self._drip = pipelining, forgetful, drip
        self.connections = 0
        self.taken: Counter[str] = Counter()
        self.contents: dict[str, bytes] = {}
        self.lone_dots = 0
        self.most_at_once = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        self.most_at_once = max(self.most_at_once, sum(not it.is_closing() for it in self._writers))
        try:
            await _Dialogue(self, self.connections, reader, writer).hold()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    async def say(self, writer: asyncio.StreamWriter, reply: str) -> None:
        data = f"{reply}\r\n".encode()
        for piece in [data[n : n + 1] for n in range(len(data))] if self._drip else [data]:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)


class _Dialogue:
    """One connection."""

    def __init__(
        self, server: Server, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server, self.number, self.reader, self.writer = server, number, reader, writer
        self.sender = False
        self.to = ""
        self.content: list[bytes] | None = None

    async def hold(self) -> None:
        greeting = self.server._greeting(self.number)
        if greeting == SILENCE:
            await asyncio.Event().wait()
        await self.server.say(self.writer, greeting)
        if not greeting.startswith("220"):
            return
        async for line in self._lines():
            if self.content is not None and line != b".":
                self.content.append(line)
                continue
            reply = self._reply(line)
            if reply == SILENCE:
                await asyncio.Event().wait()
            if reply == DROP:
                return
            await self.server.say(self.writer, reply)
            if reply.startswith(("421", "221")):
                return

    async def _lines(self) -> AsyncIterator[bytes]:
        buffer = b""
        while data := await self.reader.read(65536):
            buffer += data
            while b"\r\n" in buffer:
                line, _, buffer = buffer.partition(b"\r\n")
                if self.server._forgetful and (self.content is None or line == b"."):
                    buffer = b""
                yield line

    def _reply(self, line: bytes) -> str:
        if self.content is not None:
            return self._end_of_content()
        words = line.decode().split(":", 1)
        verb = words[0].split(" ")[0].upper()
        if verb == "EHLO":
            return "250-test\r\n250-SIZE\r\n250 PIPELINING" if self.server._pipelining else "250 test"
        if verb == "RCPT":
            self.to = words[1].strip("<> ")
        said = self.server._answer(self.number, verb, self.to)
        return getattr(self, f"_{verb.lower()}", self._other)(said)

    def _mail(self, said: str | None) -> str:
        if self.sender:
            return "503 5.5.1 nested MAIL command"
        reply = said or "250 ok"
        self.sender, self.to = reply.startswith("250"), ""
        return reply

    def _rcpt(self, said: str | None) -> str:
        reply = (said or "250 ok") if self.sender else "503 5.5.1 MAIL first"
        if not reply.startswith("250"):
            self.to = ""
        return reply

    def _data(self, said: str | None) -> str:
        if not self.to and not (said or "").startswith("354"):
            return said if said in (DROP, SILENCE) else "503 5.5.1 no valid recipients"
        reply = said or "354 go"
        self.content = [] if reply.startswith("354") else None
        return reply

    def _rset(self, said: str | None) -> str:
        self.sender, self.to = False, ""
        return said or "250 ok"

    def _other(self, said: str | None) -> str:
        return "221 bye"

    def _end_of_content(self) -> str:
        content, self.content, to = self.content or [], None, self.to
        self.server.lone_dots += not content
        reply = self.server._answer(self.number, ".", to) or ("250 taken" if to else "554 5.5.1 nobody")
        self.sender, self.to = False, ""
        if reply.startswith("250") and to:
            self.server.taken[to] += 1
            self.server.contents[to] = b"\r\n".join(content) + b"\r\n"
        return reply


async def campaign(server: Server, count: int = 12, **more: str) -> dict[str, Outcome]:
    """Outcomes by recipient; at most two messages are on their way."""
    async with server:
        variables = {"TRANSPORT": "smtp", "HOST": "127.0.0.1", "PORT": str(server.port), "TLS": "none"}
        variables |= {"HELO": "tidings.example", "CONCURRENCY": "2", "TIMEOUT": "5", **more}
        for name in [name for name in os.environ if name.startswith("TIDINGS_")]:
            del os.environ[name]
        os.environ.update({f"TIDINGS_EMAIL_{name}": value for name, value in variables.items()})
        async with create("email", Usual.config, outbox_dir=Path("unused")) as channel:
            batch = [
                outgoing(f"p{n}@example.com", Usual.parts, key=f"p{n}@example.com") for n in range(count)
            ]
            outcomes = await outcomes_of(channel, batch)
            for message in batch:
                if message.key in server.contents:
                    composed: bytes = channel.compose(message).data
                    assert server.contents[message.key].replace(b"\r\n..", b"\r\n.") == composed
    assert server.most_at_once <= int(variables["CONCURRENCY"]) + 1
    for to, outcome in outcomes.items():
        if not isinstance(outcome, Unknown):
            assert isinstance(outcome, Accepted) == (server.taken[to] == 1), (to, outcome)
    assert set(server.taken) <= set(outcomes)
    return outcomes


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """What a campaign sets is forgotten after the test."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def at(place: str, reply: str, only: str = "p5@example.com") -> Answer:
    return lambda connection, verb, to: reply if verb == place and to == only else None


def accepted(outcomes: dict[str, Outcome]) -> int:
    return sum(isinstance(outcome, Accepted) for outcome in outcomes.values())


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    ("place", "reply", "outcome"),
    [
        ("RCPT", "451 4.3.0 later", Failed("temporary", "server_busy", "SMTP 451 4.3.0")),
        ("RCPT", "550 5.1.1 who", Failed("permanent", "mailbox_unknown", "SMTP 550 5.1.1", "dead")),
        ("RCPT", "550 5.7.1 policy", Failed("permanent", "blocked_by_policy", "SMTP 550 5.7.1")),
        ("RCPT", "421 4.3.2 closing", Failed("temporary", "server_closing", "SMTP 421 4.3.2")),
        ("RCPT", "what?", Failed("temporary", "unreadable_answer")),
        ("RCPT", "x" * 9000, Failed("temporary", "unreadable_answer")),
        ("DATA", "451 4.3.0 later", Failed("temporary", "server_busy", "SMTP 451 4.3.0")),
        ("DATA", "250 and so what", Failed("temporary", "unreadable_answer")),
        ("DATA", "354 go\r\n250 taken", Failed("temporary", "unreadable_answer")),
        ("DATA", DROP, Failed("temporary", "connection_lost")),
        (".", "552 5.3.4 large", Failed("permanent", "message_too_large", "SMTP 552 5.3.4")),
        (".", "421 4.3.2 closing", Failed("temporary", "server_closing", "SMTP 421 4.3.2")),
        (".", "what?", Unknown("unreadable_answer")),
        (".", DROP, Unknown("connection_lost")),
    ],
)  # fmt: skip
def test_one_messages_trouble_is_its_own(place: str, reply: str, outcome: Outcome, pipelining: bool) -> None:
    outcomes = run(campaign(Server(at(place, reply), pipelining=pipelining)))
    assert outcomes.pop("p5@example.com") == outcome
    assert accepted(outcomes) == 11


def test_a_refused_sender_concerns_the_message_it_was_said_to() -> None:
    refusals = iter(["550 5.1.8 sender"])
    server = Server(lambda connection, verb, to: next(refusals, None) if verb == "MAIL" else None)
    outcomes = run(campaign(server))
    assert Counter(type(outcome) for outcome in outcomes.values()) == {Accepted: 11, Failed: 1}


def test_a_server_that_lets_content_follow_a_refused_recipient_gets_a_lone_dot() -> None:
    def answer(connection: int, verb: str, to: str) -> str | None:
        if verb == "RCPT" and to == "p5@example.com":
            return "550 5.1.1 who"
        return "354 go, whoever it is for" if verb == "DATA" else None

    server = Server(answer)
    outcomes = run(campaign(server))
    assert (server.lone_dots, accepted(outcomes)) == (1, 11)


@pytest.mark.parametrize("pipelining", [True, False])
def test_a_server_that_closes_after_each_message_gets_all_of_them(pipelining: bool) -> None:
    served: set[int] = set()

    def answer(connection: int, verb: str, to: str) -> str | None:
        if verb == "MAIL" and connection in served:
            return "421 4.7.0 one message a connection"
        if verb == ".":
            served.add(connection)
        return None

    assert accepted(run(campaign(Server(answer, pipelining=pipelining)))) == 12


@pytest.mark.parametrize("refusal", ["421 4.7.0 too many connections", "garbage", SILENCE])
def test_a_server_that_refuses_one_more_session_gets_all_by_the_other(refusal: str) -> None:
    server = Server(greeting=lambda number: refusal if number == 2 else "220 here", drip=True)
    assert accepted(run(campaign(server, TIMEOUT="0.3"))) == 12


def test_a_half_open_socket_is_waited_for_once_and_not_for_every_message() -> None:
    server = Server(greeting=lambda _: SILENCE)
    assert set(run(campaign(server, TIMEOUT="0.2")).values()) == {Failed("temporary", "timeout")}
    assert server.connections == 1


@pytest.mark.parametrize(
    ("place", "outcome"), [(".", Unknown("timeout")), ("DATA", Failed("temporary", "timeout"))]
)
def test_a_server_that_falls_silent_is_given_up_and_the_others_leave(place: str, outcome: Outcome) -> None:
    outcomes = run(campaign(Server(at(place, SILENCE)), TIMEOUT="0.2"))
    assert outcomes.pop("p5@example.com") == outcome
    assert accepted(outcomes) == 11


def test_a_server_that_throws_away_what_comes_together_is_spoken_to_one_by_one() -> None:
    assert accepted(run(campaign(Server(forgetful=True), TIMEOUT="0.2"))) == 12


def test_replies_may_come_byte_by_byte() -> None:
    many = at("RCPT", "550-5.1.1 nobody\r\n550 5.1.1 of that name")
    outcomes = run(campaign(Server(many, drip=True)))
    assert outcomes["p5@example.com"] == Failed("permanent", "mailbox_unknown", "SMTP 550 5.1.1", "dead")
    assert accepted(outcomes) == 11


def test_a_cancelled_pipeline_tells_what_may_have_left_from_what_has_not() -> None:
    held = asyncio.Event()

    def answer(connection: int, verb: str, to: str) -> str | None:
        if verb == "." and to == "p3@example.com":
            held.set()
            return SILENCE
        return None

    outcomes: dict[str, Outcome] = {}

    async def cancelled(server: Server) -> None:
        sending = asyncio.create_task(campaign(server, CONCURRENCY="1"))
        await held.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

    async def recorded() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.channels.test_email_bad_servers.outcomes_of", keep)
            await cancelled(Server(answer))

    async def keep(channel: AnyChannel, batch: list[Outgoing]) -> None:
        await channel.send(batch, outcomes.__setitem__)

    run(recorded())
    kinds = [outcomes[f"p{n}@example.com"] for n in range(12)]
    assert [type(kind) for kind in kinds[:3]] == [Accepted] * 3
    assert kinds[3] == Unknown("interrupted")
    assert set(kinds[4:]) == {Failed("temporary", "not_begun")}


def test_a_recorder_that_fails_stops_a_pipeline_loudly() -> None:
    def broken(key: str, outcome: Outcome) -> None:
        raise OSError("the database is gone")

    async def keep(channel: AnyChannel, batch: list[Outgoing]) -> dict[str, Outcome]:
        await channel.send(batch, broken)
        return {}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.channels.test_email_bad_servers.outcomes_of", keep)
        with pytest.raises(ExceptionGroup) as group:
            run(campaign(Server()))
    assert group.group_contains(OSError, match="the database is gone")


REPLIES = {
    "MAIL": ["250 ok", "250 ok", "450 4.3.0 later", "421 closing", "what?", DROP],
    "RCPT": ["250 ok", "250 ok", "550 5.1.1 who", "450 4.2.0 later", "421 closing", "", DROP],
    "DATA": ["354 go", "354 go", "354 go\r\n250 taken", "451 later", "421 closing", "250 ok", DROP],
    ".": ["250 taken", "250 taken", "250 taken\r\n250 twice", "550 5.7.1 no", "421 closing", "2", DROP],
    "RSET": ["250 ok", "421 closing", "500 what?"],
}


@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data(), st.booleans(), st.booleans())
def test_whatever_a_server_says_each_message_has_one_outcome_and_a_true_one(
    data: st.DataObject, pipelining: bool, drip: bool
) -> None:
    said = {verb: iter(data.draw(st.lists(st.sampled_from(REPLIES[verb]), max_size=8))) for verb in REPLIES}

    def answer(connection: int, verb: str, to: str) -> str | None:
        reply = next(said.get(verb, iter(())), None)
        # A 250 that comes late is the answer to the content, for all that anybody can tell.
        return "354 go" if drip and reply == "354 go\r\n250 taken" else reply

    server = Server(answer, pipelining=pipelining, drip=drip)
    run(campaign(server, 6, TIMEOUT="0.3"))


def certificate(folder: Path, names: list[x509.GeneralName], until: int) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    builder = builder.not_valid_after(dt.datetime(until, 1, 1, tzinfo=dt.UTC))
    signed = builder.add_extension(x509.SubjectAlternativeName(names), critical=False).sign(
        key, hashes.SHA256()
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "server.pem"
    file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return file


HERE = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


@pytest.mark.parametrize(
    ("name", "until", "trusted", "outcome"),
    [
        (HERE, 2100, True, None),
        (HERE, 2100, False, Failed("configuration", "tls_failed")),
        (HERE, 2021, True, Failed("configuration", "tls_failed")),
        (x509.DNSName("other.example"), 2100, True, Failed("configuration", "tls_failed")),
    ],
    ids=["good", "signed by itself", "expired", "of another name"],
)
def test_only_a_server_that_proves_its_name_gets_mail(
    name: x509.GeneralName, until: int, trusted: bool, outcome: Failed | None, tmp_path: Path
) -> None:
    file = certificate(tmp_path, [name], until)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    if trusted:
        os.environ["SSL_CERT_FILE"] = str(file)
    server = Server(tls=context)
    outcomes = run(campaign(server, TLS="tls"))
    assert accepted(outcomes) == 12 if outcome is None else set(outcomes.values()) == {outcome}
