"""What every channel is. A channel is a folder here that holds one `Channel` class of the same name."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

from channels.asking import Doubt
from channels.board import Board
from channels.folder import Outbox
from channels.outcome import Accepted
from channels.outgoing import Outgoing
from channels.sending import BatchSender, Record
from channels.settings import ChannelConfig, ChannelSettings, load_config, load_settings, missing
from channels.transport import Malformed, Rehearsal, Transport, W

AddressKind = Literal["email", "phone", "push", "telegram", "card", "customer"]
Policy = Literal["at_most_once", "at_least_once"]
Confirmation = Literal["accepted", "delivered"]
LinkedPart = Literal["html", "text", "address", "short"]

# A channel of this kind needs no address: it names the customer, so that everybody can be reached.
NO_ADDRESS: AddressKind = "customer"
# The address of a channel of this kind is the customer's card: they are reached while it is in a wallet.
CARD: AddressKind = "card"

C = TypeVar("C", bound=ChannelConfig)
S = TypeVar("S", bound=ChannelSettings)


class Channel(ABC, Generic[C, S, W]):
    """One way out. It only carries: what to say, to whom and whether was decided before.

    `address_kind` is what it needs to know of a customer; `NO_ADDRESS` if it needs nothing.
    `policy` says what follows an unknown outcome: *at_most_once* is never sent again, *at_least_once* is sent
    again under the same identity. `confirmed_by` says what a cascade waits for. `text_files` are the files of
    a message folder that this channel is written in, best first; `front_matter` are the keys that may stand
    above the text (`data.*`: any key in the mapping `data`), `required_front` the one that must.
    `can_be_asked`: a provider of it lists what it took over (`ask`). `linked_parts` says how links stand in
    which part, so that clicks can be tracked: in HTML, in a text, as the part's only content, or `short`:
    only those for which the template asks (`{{ url | tracked }}`), since every character counts.
    """

    name: ClassVar[str]
    address_kind: ClassVar[AddressKind]
    policy: ClassVar[Policy]
    confirmed_by: ClassVar[Confirmation]
    text_files: ClassVar[tuple[str, ...]]
    front_matter: ClassVar[tuple[str, ...]] = ()
    required_front: ClassVar[str | None] = None
    can_be_asked: ClassVar[bool] = False
    linked_parts: ClassVar[Mapping[str, LinkedPart]] = {}
    # What stands in for `channels.<name>` where program.yaml says nothing of it and a key must be there.
    stand_in: ClassVar[Mapping[str, Any]] = {}
    Config: ClassVar[type[ChannelConfig]]
    Settings: ClassVar[type[ChannelSettings]]

    def __init__(
        self, config: C, settings: S, *, outbox_dir: Path, env_file: Path | None = None,
        board: Board | None = None,
    ) -> None:  # fmt: skip
        """`outbox_dir` is where the folder transport writes; `env_file` is named in errors about settings;
        `board` is where messages are put that stay in the house.
        """
        self.config = config
        self.settings = settings
        self.board = board
        self._outbox_dir = outbox_dir
        self._env_file = env_file
        self._transport: Transport[Any] | None = None
        self._sender: BatchSender[Any] | None = None

    @classmethod
    def create(
        cls, config: Mapping[str, Any] | None, *, outbox_dir: Path, env_file: Path | None = None,
        board: Board | None = None,
    ) -> Self:  # fmt: skip
        """Validate `channels.<name>` of program.yaml (None: it says nothing of it) and read the settings.

        Raises UserError for the former, EnvironmentFault for the latter. Needs no credentials: costs and
        composition work without any.
        """
        return cls(
            load_config(cls.Config, cls.name, cls.stand_in if config is None else config),  # type: ignore[arg-type]
            load_settings(cls.Settings, env_file),  # type: ignore[arg-type]
            outbox_dir=outbox_dir,
            env_file=env_file,
            board=board,
        )

    @property
    def may_be_reported(self) -> bool:
        """Whether somebody may tell, by program.yaml alone, that a message arrived."""
        return self.confirmed_by == "delivered"

    @property
    def is_reported(self) -> bool:
        """Whether somebody tells, as it is set up, that a message arrived: else no cascade waits for it."""
        return self.confirmed_by == "delivered" and self.settings.transport != "folder"

    def check(self) -> None:
        """Raise EnvironmentFault, one clear sentence without any secret, if a credential is missing."""
        if self.settings.transport == "folder":
            return
        if unset := self.settings.unset(self.required()):
            raise missing(self.name, self.settings.transport, unset, self._env_file)

    async def open(self) -> None:
        """Make ready to send; may be called twice. Raises EnvironmentFault as `check` does."""
        if self._transport:
            return
        self.check()
        transport = self._choose_transport()
        await transport.open()
        self._transport = transport
        self._sender = BatchSender(self.compose, transport, self.settings.concurrency, self.name)

    async def close(self) -> None:
        """Close what `open` opened; may be called twice."""
        transport, self._transport, self._sender = self._transport, None, None
        if transport:
            await transport.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def send(self, batch: Sequence[Outgoing], record: Record) -> None:
        """Send a batch, each message once, calling `record(key, outcome)` exactly once for each message.

        `record` is called in the event loop as soon as an outcome is known and must not block. One message's
        trouble is its own; see `BatchSender.send` for what cancellation leaves.
        """
        if self._sender is None:
            raise RuntimeError(f"the {self.name} channel is not open")
        await self._sender.send(batch, record)

    def pause(self) -> None:
        """Begin nothing more of the batches under way; what is on its way comes to its end."""
        if self._sender is not None:
            self._sender.pause()

    async def validate(self, batch: Sequence[Outgoing], record: Record) -> None:
        """Compose a batch and have the provider check it, where that is offered; nothing is delivered."""
        if self._transport is None:
            raise RuntimeError(f"the {self.name} channel is not open")
        rehearsal = BatchSender(self.compose, Rehearsal(self._transport), self.settings.concurrency)
        await rehearsal.send(batch, record)

    @classmethod
    def front_fault(cls, key: str, value: str) -> tuple[str, str] | None:  # noqa: ARG003 - for those that look
        """What is wrong with a value of the front matter, and what to write instead; None if nothing is."""
        return None

    def cost(self, outgoing: Outgoing) -> Decimal | None:
        """What sending this message costs, in whole units of the program's currency; None where unknown."""
        return None

    async def ask(self, doubt: Doubt) -> Accepted | None:
        """Look for a message of unknown outcome at the provider, through an open channel.

        Asking can only confirm: None is no proof that it did not leave. Never raises for what the provider
        answers, or if it does not.
        """
        return None

    def required(self) -> tuple[str, ...]:
        """Names of the settings without which the real transport cannot work."""
        return ()

    @abstractmethod
    def compose(self, outgoing: Outgoing) -> W:
        """The message to the last byte, without sending it. Raises Malformed if it can never be sent."""

    @abstractmethod
    def provider(self) -> Transport[W]:
        """The real transport; called after `check`. Vendor libraries are imported in here or later."""

    def _choose_transport(self) -> Transport[Any]:
        if self.settings.transport == "folder":
            return Outbox(self._outbox_dir / self.name)
        return self.provider()


def part(outgoing: Outgoing, name: str) -> str:
    """A part that the message must have. Raises Malformed if it is absent or blank."""
    text = optional_part(outgoing, name)
    if not text.strip():
        raise Malformed(f"missing_{name}")
    return text


def optional_part(outgoing: Outgoing, name: str) -> str:
    """A part that the message may have, else the empty text. Raises Malformed if no encoding can carry it."""
    text = outgoing.parts.get(name, "")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Malformed("not_encodable") from None
    return text
