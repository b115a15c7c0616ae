"""Signed passes and save links a core: beside OpenSSL's bare signatures and npm's passkit-generator.

    python -m benchmarks.passes [--rounds 9] [--seconds 4] [--core 0] [--profile]

A pass is whole: from a customer's face (2 KB of pass.json, six PNG) to the 24 KB that a phone takes. OpenSSL
signs with a key of the same size and does nothing else: it is the limit. passkit-generator has its pictures
and certificates in memory too, and makes a pass of the same content; `make bench-tools` installs it.
All run on one core and are counted by the processor's time. OpenSSL and ours take turns of a twentieth of a
second, so that whatever mood the machine is in, both are in it: when each had a second or more to itself, a
round's ratio was anything from 0.68 to 0.96.
"""

import argparse
import cProfile
import json
import os
import pstats
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import count
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from select import select
from signal import SIGCONT, SIGSTOP
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from benchmarks.report import Row, at_least, keep, machine
from benchmarks.tools import needed, node, without
from core.collecting import collect_seldom
from wallet.apple.certificates import load
from wallet.apple.content import Issuer, pass_json
from wallet.apple.package import Packager
from wallet.apple.throwaway import ROOT, throwaway
from wallet.artwork import Artwork
from wallet.design import Code, Colours, Face, Link, Place, Shown
from wallet.google.account import Account
from wallet.google.links import save_link

AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
PASS_TYPE, TEAM = "pass.example.kavarnia", "ABCDE12345"
ISSUER = Issuer(PASS_TYPE, TEAM, "https://loyalty.kavarnia.example/wallet/apple")
TERMS = "One bonus is one hryvnia. Bonuses pay for up to half of an order and last for 180 days. " * 6
STORES, FACES = 5, 8
# Seconds: short beside the moods of a machine, long beside what a change of turns costs.
TURN = 0.05
NODE = """
const fs = require('node:fs'), path = require('node:path');
const {PKPass} = require('passkit-generator');
const [folder, seconds] = process.argv.slice(1);
const read = name => fs.readFileSync(path.join(folder, name));
const pictures = fs.readdirSync(folder).filter(name => name.endsWith('.png'));
const model = Object.fromEntries(pictures.map(name => [name, read(name)]));
const content = JSON.parse(read('pass.json'));
const [signerCert, signerKey, wwdr] = ['certificate', 'key', 'intermediate'].map(name => read(`${name}.pem`));
const certificates = {signerCert, signerKey, wwdr};
let done = 0, length = 0;
const make = () => {
  const own = Buffer.from(JSON.stringify({...content, serialNumber: `serial-${done++}`}));
  length = new PKPass({...model, 'pass.json': own}, certificates).getAsBuffer().length;
};
for (let n = 0; n < 5; n++) make();
done = 0;
const spent = () => { const {user, system} = process.cpuUsage(); return (user + system) / 1e6; };
const start = spent();
while (spent() - start < +seconds) make();
console.log(JSON.stringify({rate: done / (spent() - start), length}));
"""


def face(number: int) -> Face:
    """One of many customers' cards."""
    return Face(
        locale="en",
        tier="silver",
        organisation="Kavarnia",
        about="Kavarnia loyalty card",
        account=f"KV{number:08}",
        holder="Anna Kowalska",
        colours=Colours(background="#1f3b2d", text="#ffffff", label="#b9d3c2"),
        header=(Shown("balance", "Bonuses", f"{number:,}", "You now have %@"),),
        primary=(),
        secondary=(
            Shown("tier", "Level", "Silver", "Your level: %@"),
            Shown("next", "To the next", "7,400 ₴"),
        ),
        auxiliary=(Shown("expiring", "Expiring", "500 by 15 March"),),
        back=(Shown("terms", "Terms", TERMS), Shown("contact", "Write to us", "hello@kavarnia.example")),
        barcode=Code("qr", f"KV{number:08}", f"KV{number:08}"),
        places=tuple(Place(50.4 + at / 100, 30.5, f"Kavarnia in Khreshchatyk {at}") for at in range(STORES)),
        nfc=None,
        artwork="benchmark",
        links=(Link("choices", "Your choices", f"https://kavarnia.example/p/{number:032x}"),),
    )


def pictures() -> Artwork:
    """Originals whose sizes come to what a modest logo and icon weigh."""
    return Artwork({"icon": _drawn((87, 87), 12), "logo": _drawn((480, 150), 40)})


def _drawn(size: tuple[int, int], shapes: int) -> bytes:
    from PIL import Image, ImageDraw

    chance = random.Random(0)
    picture = Image.new("RGB", size, "#1f3b2d")
    draw = ImageDraw.Draw(picture)
    for _ in range(shapes):
        corner = [chance.randrange(side) for side in size]
        draw.ellipse((*corner, corner[0] + size[0] // 5, corner[1] + size[1] // 3), _colour(chance))
    written = BytesIO()
    picture.quantize(64).save(written, "PNG")
    return written.getvalue()


def _colour(chance: random.Random) -> tuple[int, int, int]:
    return chance.randrange(256), chance.randrange(256), chance.randrange(256)


def passes(folder: Path) -> Callable[[], bytes]:
    """Makes one pass after the other. The first one is verified by OpenSSL, and laid out for its peer."""
    settings = throwaway(folder, PASS_TYPE, TEAM, AT - timedelta(days=1))
    artwork = pictures()
    packager = Packager(ISSUER, artwork, load(settings, PASS_TYPE, TEAM, AT))
    content = pass_json(ISSUER, face(1), f"{1:032x}", "0" * 32)
    (folder / "pass.json").write_text(json.dumps(content))
    for name, data in artwork.apple.items():
        (folder / name).write_bytes(data)
    first = packager.build(face(1), f"{1:032x}", "0" * 32, AT)
    verify(first, folder)
    print(f"a pass has {len(first):,} bytes, {len(json.dumps(content)):,} of them pass.json")
    # As many as lie in the processor's cache together: a card is computed just before its pass is made.
    faces = [face(number) for number in range(FACES)]
    numbers: Iterator[int] = count()

    def make() -> bytes:
        number = next(numbers)
        return packager.build(faces[number % FACES], f"{number:032x}", "0" * 32, AT)

    return make


def verify(content: bytes, folder: Path) -> None:
    """What is measured is a pass that a phone would take from a certificate of Apple's."""
    with ZipFile(BytesIO(content)) as archive:
        archive.extractall(folder / "opened")
    command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-purpose", "any"]
    files = ["-in", "opened/signature", "-content", "opened/manifest.json", "-CAfile", ROOT]
    subprocess.run([*command, *files], cwd=folder, check=True, capture_output=True)


def links() -> Callable[[], str]:
    """Makes one save link after the other."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    account = Account("wallet@kavarnia.iam.gserviceaccount.com", key, {})
    numbers: Iterator[int] = count()
    return lambda: save_link(
        account, f"3388000000022000000.{next(numbers):032x}", "3388000000022000000.a", AT
    )


def rate(make: Callable[[], object], seconds: float) -> float:
    """How many in a second of the processor."""
    done, start = 0, time.process_time()
    while (spent := time.process_time() - start) < seconds:
        for _ in range(20):
            make()
        done += 20
    return done / spent


def beside_openssl(make: Callable[[], object], seconds: int) -> tuple[float, float]:
    """Ours and OpenSSL's signatures in a second of the processor; they take turns for so many seconds.

    Of both the user's time is counted, since `openssl speed` counts nothing else.
    """
    command = [needed("openssl"), "speed", "-mr", "-seconds", str(seconds), "rsa2048"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, bufsize=0) as speed:
        try:
            return _taking_turns(make, speed)
        finally:
            speed.kill()  # what would follow are verifications


def _taking_turns(make: Callable[[], object], speed: subprocess.Popen[bytes]) -> tuple[float, float]:
    said: Any = speed.stderr
    said.readline()  # that it begins
    done, spent = 0, 0.0
    while not select([said], [], [], TURN)[0]:
        speed.send_signal(SIGSTOP)
        end, start = spent + TURN, _spent() - spent
        while spent < end:
            for _ in range(20):
                make()
            done, spent = done + 20, _spent() - start
        speed.send_signal(SIGCONT)
    _, signed, _, took = said.readline().decode().split(":")
    return done / spent, int(signed) / float(took)


def _spent() -> float:
    """Seconds of the user's time that this process has had."""
    return getrusage(RUSAGE_SELF).ru_utime


def passkit(folder: Path, seconds: float) -> float:
    """Passes in a second of the processor by passkit-generator."""
    return float(json.loads(node(NODE, str(folder), str(seconds)))["rate"])


def measure(rounds: int, seconds: int) -> None:
    """Every round runs all; ratios are of one round."""
    before, why_not = machine(), without("passkit-generator")
    signs = "openssl speed rsa2048, signs"
    limit = Row("signed passes from a face", signs, "/s", at_least(0.9), "limit")
    peer = Row("signed passes from a face", "passkit-generator", "/s", at_least(80), "peer")
    saved = Row("Google save links", signs, "/s", at_least(0.92), "limit")
    with TemporaryDirectory() as place:
        folder = Path(place)
        make, link = passes(folder), links()
        collect_seldom()  # as `serve` does
        rate(make, 0.2), rate(link, 0.2)
        for _ in range(rounds):
            limit.pairs.append(beside_openssl(make, seconds))
            saved.pairs.append(beside_openssl(link, seconds))
            if not why_not:
                peer.pairs.append((rate(make, seconds / 2), passkit(folder, seconds / 2)))
    rows = [limit, saved] if why_not else [limit, peer, saved]
    print(*rows, sep="\n")
    keep("passes", rows, before, [why_not] if why_not else [], openssl=_version())


def _version() -> str:
    return subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True).stdout.strip()


def profile() -> None:
    """Where the time of 2,000 passes goes."""
    with TemporaryDirectory() as place:
        make = passes(Path(place))
        profiler = cProfile.Profile()
        profiler.runcall(lambda: [make() for _ in range(2_000)])
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=4, help="how long each pair is measured")
    parser.add_argument("--core", type=int, default=0, help="the core on which all of them run")
    parser.add_argument("--profile", action="store_true", help="only where our time goes")
    asked = parser.parse_args()
    os.sched_setaffinity(0, {asked.core})
    if asked.profile:
        profile()
    else:
        measure(asked.rounds, asked.seconds)


if __name__ == "__main__":
    main()
