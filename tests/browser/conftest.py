"""One browser and one shop for all of these tests: both take a while to start."""

import shutil
import socket
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import uvicorn
from fastapi.testclient import TestClient
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from core.clock import MovableClock
from core.db import Database
from tests.api.asking import asking
from tests.api.shop import PUBLIC_URL, TOKEN, Shop, make_workspace
from tests.browser.visitor import Visitor
from tests.support.databases import SqliteDatabases
from tidings.api import Services, create_app
from tidings.cards import cards_of

QUIET = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb",
)  # fmt: skip
ANDROID = "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36"
# Managed as an administrator would: pages may run no script.
NO_SCRIPTS = {"profile.managed_default_content_settings.javascript": 2}


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """Debian's chromium by Debian's driver: nothing is fetched."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.fail("no chromium: apt-get install chromium chromium-driver")
    options = ChromeOptions()
    options.binary_location = chromium
    for word in (*QUIET, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(word)
    options.add_experimental_option("prefs", NO_SCRIPTS)
    found = Chrome(options, ChromeService(driver))
    yield found
    found.quit()


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The example with everything that the pages can show, served on the loopback."""
    folder = tmp_path_factory.mktemp("browser")
    clock = MovableClock(datetime(2026, 3, 1, 10, 0, tzinfo=ZoneInfo("Europe/Kyiv")))
    with SqliteDatabases(folder).fresh() as database, _listening() as listener:
        made = _shop(folder / "shop", database, clock, listener)
        server = uvicorn.Server(uvicorn.Config(made.stranger.app, log_config=None, lifespan="off", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield made
        server.should_exit = True
        thread.join()


@pytest.fixture
def visitor(browser: Chrome, shop: Shop) -> Visitor:
    """Whoever opens the pages, on a phone and by daylight at first."""
    visitor = Visitor(browser, shop.services.links.public_url)
    visitor.use(375, dark=False)
    visitor.call_itself(ANDROID)
    return visitor


def _listening() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


def _shop(folder: Path, database: Database, clock: MovableClock, listener: socket.socket) -> Shop:
    workspace = make_workspace(folder, database, asking(), clock)
    here, port = folder / ".env", listener.getsockname()[1]
    here.write_text(here.read_text().replace(PUBLIC_URL, f"http://127.0.0.1:{port}"))
    services = Services(workspace, clock, cards_of(workspace, clock), TOKEN)
    app: Any = create_app(services)
    till = TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"})
    return Shop(services, till, TestClient(app), clock)
