"""Links are replaced where they stand, and nothing around them changes."""

import pytest

from templates.tracking import address, in_html, in_text, with_picture


def marked(url: str) -> str | None:
    """Where a link leads, so that a test can see it; this one leads to us."""
    return None if url.startswith("https://bonus.example/u/") else f"https://b.example/r/[{url}]"


@pytest.mark.parametrize(
    ("html", "leads_to"),
    [
        ('<a href="https://k.example/x?a=1&amp;b=2">x</a>', "https://k.example/x?a=1&b=2"),
        ("<A class='b' HREF = 'http://k.example/'>x</A>", "http://k.example/"),
        ("<a href=https://k.example/x>x</a>", "https://k.example/x"),
        ("<a href=https://k.example/x?a=1&b=2 title=y>x</a>", "https://k.example/x?a=1&b=2"),
        ('<a\n  title="a > b, href=\'https://no.example\'"\n  href="HTTPS://k.example">x</a>', "HTTPS://k.example"),
        ('<a href=" https://k.example/\n y ">x</a>', "https://k.example/ y"),
        ('<a href="https://k.example/?q=1&copy=2&#38;x">x</a>', "https://k.example/?q=1&copy=2&x"),
        ('<a href="https://k.example/меню?q=«я»">x</a>', "https://k.example/меню?q=«я»"),
        ('<area shape="rect" href="https://k.example/map">', "https://k.example/map"),
        ('<!--[if mso]><v:roundrect href="https://k.example/b" arcsize="8%"><![endif]-->', "https://k.example/b"),
        ('<base href="https://k.example/shop/"><a href="menu">x</a>', "https://k.example/shop/menu"),
        ('<a data-href="https://no.example" href="https://k.example">x</a>', "https://k.example"),
    ],
)  # fmt: skip
def test_a_link_of_a_page_leads_by_way_of_us(html: str, leads_to: str) -> None:
    found: list[str] = []

    def follow(url: str) -> str:
        found.append(url)
        return "https://b.example/r/token"

    made = in_html(html, follow)
    assert found == [leads_to]
    assert "https://b.example/r/token" in made
    # Put back what was there, and it is the same page: no quote, space or comment was lost.
    before, after = made.split("https://b.example/r/token")
    assert html.startswith(before)
    assert html.endswith(after)


@pytest.mark.parametrize(
    "html",
    [
        '<a href="mailto:a@k.example">x</a>', '<a href="tel:+380501234567">x</a>', '<a href="#top">x</a>',
        '<a href="">x</a>', "<a href>x</a>", '<a name="https://k.example">x</a>', '<a href="/menu">x</a>',
        '<link rel="stylesheet" href="https://k.example/s.css">', '<img src="https://k.example/p.png">',
        '<abbr href="https://k.example">x</abbr>', '<a href="javascript:alert(1)">x</a>',
        '<a href="https://bonus.example/u/email/token">x</a>', "<p>https://k.example</p>",
        '<a href="//k.example/x">x</a>', f'<a href="https://k.example/{"x" * 2000}">x</a>',
        '<a href="https://k.example',
    ],
)  # fmt: skip
def test_what_is_no_link_to_a_page_or_one_of_our_own_stays(html: str) -> None:
    assert in_html(html, marked) == html


@pytest.mark.parametrize(
    ("text", "tracked"),
    [
        ("Menu: https://k.example/menu.", "Menu: [https://k.example/menu]."),
        ("(see https://k.example/a_(b))", "(see [https://k.example/a_(b)])"),
        (
            "«https://k.example/x», «https://k.example/y»!",
            "«[https://k.example/x]», «[https://k.example/y]»!",
        ),
        ("<https://k.example/?a=1&b=2>", "<[https://k.example/?a=1&b=2]>"),
        ("https://k.example/?to=https://l.example/...", "[https://k.example/?to=https://l.example/]..."),
        ("Дивіться https://k.example/меню; дякуємо", "Дивіться [https://k.example/меню]; дякуємо"),
        # What a video is called may end so; emphasis has a beginning, too.
        ("Кава: https://k.example/dQw4_", "Кава: [https://k.example/dQw4_]"),
        ("_Кава_: https://k.example/x_", "_Кава_: [https://k.example/x]_"),
        ("_https://k.example/x_ *https://k.example/y*", "_[https://k.example/x]_ *[https://k.example/y]*"),
        ("https://bonus.example/u/email/t, a@k.example", "https://bonus.example/u/email/t, a@k.example"),
    ],
)
def test_an_address_in_a_text_is_replaced_without_what_follows_it(text: str, tracked: str) -> None:
    assert in_text(text, marked).replace("https://b.example/r/", "") == tracked


def test_an_applications_own_address_stays_its_own() -> None:
    assert address("kavarnia://card", marked) == "kavarnia://card"
    assert address("https://k.example/app", marked) == "https://b.example/r/[https://k.example/app]"


@pytest.mark.parametrize(
    ("html", "made"),
    [
        ("<body>a</body></html>", "<body>a<img*></body></html>"),
        ("<BODY>a</BODY>", "<BODY>a<img*></BODY>"),
        ("<p>a</p>", "<p>a</p><img*>"),
    ],
)
def test_the_picture_stands_at_the_end_of_the_page(html: str, made: str) -> None:
    picture = (
        '<img src="https://b.example/o/t.gif" width="1" height="1" alt="" style="display:block;border:0">'
    )
    assert with_picture(html, "https://b.example/o/t.gif") == made.replace("<img*>", picture)
