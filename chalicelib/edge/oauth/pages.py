"""The pages of OAuth: plain HTML without scripts, except the one that reads a token from its own URL."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape

from chalicelib.domain import browsers
from chalicelib.domain.applications import Application
from chalicelib.domain.scopes import OFFERED
from chalicelib.edge.response import Headers, Reply

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}"
    "h1{font-size:1.3rem}li{margin:.5rem 0}.dangerous{color:#a40e26}"
    "button{font:inherit;padding:.5rem 1.2rem}.quiet{color:#57606a}"
    ".choice{display:flex;gap:.5rem;position:sticky;bottom:0;padding:1rem 0;background:#fff}"
    "input:not([type=hidden]){font:inherit;display:block;width:100%;padding:.4rem;margin:.2rem 0 1rem}"
    "code{overflow-wrap:anywhere;background:#f2f4f7;padding:.2rem .4rem}"
)
# The token never leaves the browser: it is read from the URL's fragment, shown, and removed from the history.
READER = (
    "var said=new URLSearchParams(location.hash.slice(1)||location.search),given=said.get('access_token');"
    "history.replaceState(null,'',location.pathname);"
    "document.getElementById('token').textContent=given||said.get('error_description')||said.get('error')"
    "||'There is no token in this address.';"
)
# HTML in which all foreign text has been escaped.
Markup = str


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


SOURCES = (f"style-src {_hash(STYLE)}", f"script-src {_hash(READER)}")


def page(status: int, title: str, body: str, headers: Headers | None = None, leads_to: str = "") -> Reply:
    """Returns a whole page; `body` is HTML in which all foreign text has been escaped.

    `leads_to` is the address to which the answers of its forms redirect in the end.
    """
    document = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )
    ours: Headers = {
        **browsers.page_headers(*SOURCES, browsers.form_action(leads_to)),
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
    }
    return Reply(document, ours | (headers or {}), status)


def hidden(fields: Mapping[str, str]) -> str:
    """Returns the hidden inputs of a form."""
    return "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in fields.items()
    )


def consent(application: Application, scopes: Sequence[str], fields: Mapping[str, str], user: Markup) -> str:
    """Returns the body of the consent page; `user` says who is signed in. Both buttons are always in view."""
    items = "".join(
        f"<li{' class=dangerous' if OFFERED[name].dangerous else ''}><strong>{escape(OFFERED[name].title)}</strong><br>"
        f"{escape(OFFERED[name].description)}</li>"
        for name in scopes
    )
    about = f"<p>{escape(application.description)}</p>" if application.description else ""
    forms = "".join(
        f'<form method="post" action="/oauth/{action}">{hidden(fields)}<button>{label}</button></form>'
        for action, label in (("authorizeapp", "Allow"), ("denyapp", "Cancel"))
    )
    owner = f"<p>An application of the organization <strong>{escape(application.organization)}</strong>.</p>"
    choice = f'<div class="choice">{forms}</div>'
    return f"{user}{about}{owner}<p>It asks to act in your name:</p><ul>{items}</ul>{choice}"


def signed_in(name: str, other: str) -> Markup:
    """Returns who is signed in, with a link to the address `other`, where somebody else can sign in."""
    link = f'<a href="{escape(other)}">Use another account</a>'
    return f'<p class="quiet">Signed in as <strong>{escape(name)}</strong>. {link}</p>'


def refusal(why: str, user: Markup = "") -> str:
    """Returns the body of the page for a request that is refused; `user` says who is signed in."""
    return f"<p>{escape(why)}</p>{user}"


def sign_in(fields: Mapping[str, str], why: str = "") -> str:
    """Returns the body of the sign-in page; `why` is the reason why the last attempt was refused."""
    message = f'<p class="dangerous">{escape(why)}</p>' if why else ""
    return (
        f'{message}<form method="post" action="/oauth/signin">{hidden(fields)}'
        '<label>Username<input name="username" autocomplete="username" required></label>'
        '<label>Password<input name="password" type="password" autocomplete="current-password" required></label>'
        "<button>Sign in</button></form>"
    )


def token() -> str:
    """Returns the body of the page that shows the token in its own URL."""
    return (
        "<p>Your access token, shown this once:</p>"
        f'<p><code id="token">It is read by a script of this page.</code></p><script>{READER}</script>'
    )
