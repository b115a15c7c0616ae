"""A short English email, 2.4 KB as it leaves: what many shops send, and what senders are compared by."""

from campaigns.bundle import Bundle

NAME = "bonus-accrued"
TEXT = """\
Hello {{ customer.first_name }},

thank you for coming by. {{ trigger.amount }} bonuses are on your card now, and they are ready to spend.
You have {{ balance }} bonuses. One bonus is worth one hryvnia, and they pay for up to half of any order.

{{ program.name }}
{{ program.url }}

Your choices: {{ links.preferences }}
"""
PAGE = """\
---
subject: "{{ trigger.amount }} bonuses added to your card"
preheader: "You now have {{ balance }} bonuses. Thank you for coming by."
---
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{{ subject }}</title></head>
<body style="margin:0;background:#f3efe7;font-family:Georgia,serif;color:#1f3b2d">
<div style="display:none;max-height:0;overflow:hidden">{{ preheader }}</div>
<table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr><td align="center">
<table role="presentation" width="560" style="background:#ffffff;margin:24px 0;padding:36px">
<tr><td style="font-size:26px;line-height:32px">+{{ trigger.amount }} bonuses</td></tr>
<tr><td style="font-size:16px;line-height:24px;padding:16px 0">Hello {{ customer.first_name }},
thank you for coming by. The bonuses are on your card, and they are ready to spend.</td></tr>
<tr><td style="font-size:16px;line-height:24px">You have <b>{{ balance }}</b> bonuses.</td></tr>
<tr><td style="padding:24px 0"><a href="{{ program.url }}" style="background:#1f3b2d;color:#ffffff;
padding:14px 28px;text-decoration:none">See my card</a></td></tr>
<tr><td style="font-size:13px;color:#6b6b6b">{{ program.name }} |
<a href="{{ links.preferences }}">Your choices</a></td></tr>
</table></td></tr></table>
</body>
</html>
"""


def shortened(bundle: Bundle) -> Bundle:
    """The bundle with this message in place of its own."""
    folders = [f"messages/{NAME}/{locale}/" for locale in ("en", "uk")]
    kept = {
        path: content
        for path, content in bundle.files.items()
        if not path.endswith("/email.mjml") or not path.startswith(tuple(folders))
    }
    own = {
        f"{folder}email.{kind}": text.encode()
        for folder in folders
        for kind, text in (("html", PAGE), ("txt", TEXT))
    }
    return Bundle(kept | own)
