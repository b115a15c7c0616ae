"""Somebody with a browser: what they see, by eye, by keyboard, by a screen reader."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait


@dataclass(frozen=True)
class Visitor:
    """Opens pages of the shop at `address`."""

    browser: Chrome
    address: str

    def use(self, width: int, *, dark: bool) -> None:
        """A window of so many CSS pixels, by day or by night."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def call_itself(self, agent: str) -> None:
        """The browser says that it is another one."""
        self.browser.execute_cdp_cmd("Network.setUserAgentOverride", {"userAgent": agent})

    def open(self, url: str) -> None:
        """The page is there to be seen: until its first paint a browser drops what is typed."""
        self.browser.get(url)
        self._patient().until(lambda _: self._is_painted())

    def press(self, text: str) -> None:
        """The button with this text; what it leads to is there."""
        [button] = [it for it in self.all("button") if it.text == text]
        self.follow(button)

    def follow(self, element: WebElement) -> None:
        """Click, and wait for the page that comes of it."""
        self._leave(element.click)

    def enter(self, element: WebElement) -> None:
        """The same by keyboard."""
        self._leave(lambda: element.send_keys(Keys.ENTER))

    def _leave(self, act: Callable[[], None]) -> None:
        """The driver comes back from a click or a key before the server was asked for anything; what a page
        wants to have the focus gets it right before the first paint, which may come after all is loaded.
        """
        left = self._document()
        act()
        self._patient().until(lambda _: self._document() != left and self._is_loaded() and self._is_painted())

    def _is_loaded(self) -> bool:
        return bool(self.ask("document.readyState") == "complete")

    def _is_painted(self) -> bool:
        return bool(self.ask("performance.getEntriesByType('paint').length"))

    def _patient(self) -> WebDriverWait[Chrome]:
        # Between two pages the driver may have none to speak of: that is asked again, not failed.
        return WebDriverWait(self.browser, 30, 0.02, ignored_exceptions=[WebDriverException])

    def _document(self) -> str:
        """Which loading of a page the browser shows: another one after each, of the same address too."""
        shown = self.browser.execute_cdp_cmd("Page.getFrameTree", {})
        return str(shown["frameTree"]["frame"]["loaderId"])

    def all(self, css: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, css)

    @property
    def text(self) -> str:
        return self.browser.find_element(By.TAG_NAME, "body").text

    def tab(self) -> WebElement:
        """The next place of the keyboard."""
        self.browser.switch_to.active_element.send_keys(Keys.TAB)
        return self.browser.switch_to.active_element

    def ask(self, expression: str) -> Any:
        """What the browser says of the page; its own tools run though the page's scripts may not."""
        said = self.browser.execute_cdp_cmd(
            "Runtime.evaluate", {"expression": expression, "returnByValue": True}
        )
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")
