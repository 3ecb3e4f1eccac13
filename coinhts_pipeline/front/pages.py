"""Our own pages: plain HTML that asks nothing of any other server and runs no script.

What lives here: the login, the list of reports, and what is shown when something else cannot be. What to add: a page as
a function of what it shows. What stays out: Dagster's UI, and tearsheets, which bring their own looks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from string import Template
from urllib.parse import quote
from zoneinfo import ZoneInfo

from coinhts_pipeline.front.origins import Refusal

CONTENT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_KST = ZoneInfo("Asia/Seoul")
_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
$head<title>$title · coinhts</title>
<style>
:root {
  --ground: #fff; --ink: #1b1f24; --quiet: #59626d; --line: #7d8793; --rule: #dde1e6;
  --deed: #0b57b0; --on-deed: #fff; --bad: #a3151c
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --ink: #eceff3; --quiet: #a9b2bd; --line: #7f8a97; --rule: #2e343c;
    --deed: #8ab8ff; --on-deed: #0a1524; --bad: #ff9a98
  }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
main { max-width: $width; margin: 0 auto; padding: $above 1.25rem 3rem }
header { color: var(--quiet); font-weight: 600 }
h1 { margin: 0 0 1.25rem; font-size: 1.5rem; overflow-wrap: anywhere }
label { display: block; margin-bottom: .4rem }
input, button { width: 100%; min-height: 2.9rem; padding: .5rem .8rem; border-radius: .4rem; font: inherit }
input { border: 1px solid var(--line); background: var(--ground); color: var(--ink) }
button { margin-top: 1rem; border: 0; background: var(--deed); color: var(--on-deed); font-weight: 600 }
:focus-visible { outline: 3px solid var(--deed); outline-offset: 2px }
a { color: var(--deed) }
.bad { color: var(--bad) }
.quiet { color: var(--quiet) }
ul { padding: 0; list-style: none }
li { display: flex; flex-wrap: wrap; gap: 0 1rem; padding: .45rem 0; border-top: 1px solid var(--rule) }
li:last-child { border-bottom: 1px solid var(--rule) }
li a { flex: 1 1 14rem; overflow-wrap: anywhere }
</style>
</head>
<body><main>
<header>coinhts</header>
<h1>$title</h1>
$body
</main></body>
</html>
""")
_SECONDS_BETWEEN_LOOKS = 2


@dataclass(frozen=True)
class Entry:
    """A file or a folder in the list of reports."""

    name: str
    is_folder: bool
    size: int
    changed_at: datetime


def login_page(following: str, refusal: Refusal | None = None) -> str:
    """What was refused is read aloud, and the field says that it is about it."""
    alert, about = "", ""
    if refusal:
        alert = f'<p class="bad" role="alert" id="refused">{escape(refusal.message)}</p>'
        about = ' aria-invalid="true" aria-describedby="refused"'
    return _page(
        "Log in",
        f"""{alert}<form method="post" action="/login">
<input type="hidden" name="next" value="{escape(following)}">
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required autofocus{about}>
<button type="submit">Log in</button>
</form>""",
    )


def logout_page(role: str) -> str:
    return _page(
        "Log out",
        f"""<p>You are logged in as the {escape(role)}.</p>
<form method="post" action="/logout"><button type="submit">Log out</button></form>
<p><a href="/">Stay</a></p>""",
    )


def starting_page() -> str:
    """It looks again by itself."""
    refresh = f'<meta http-equiv="refresh" content="{_SECONDS_BETWEEN_LOOKS}">\n'
    return _page("Starting", '<p role="status">The UI is starting. This page looks again by itself.</p>', refresh)


def refused_page(refusal: Refusal) -> str:
    return _page(refusal.status.phrase, f'<p role="alert">{escape(refusal.message)}</p>')


def reports_page(folder: str, entries: Sequence[Entry]) -> str:
    """A folder of reports; its name ends with a slash, the first one's is empty."""
    up = '<li><a href="../">back to the folder above</a></li>' if folder else ""
    listed = "".join(_listed(entry) for entry in entries) or '<li class="quiet">nothing yet</li>'
    where = f" in {escape(folder)}" if folder else ""
    body = f"<ul>{up}{listed}</ul>\n" + '<p class="quiet"><a href="/">The UI</a> · <a href="/logout">Log out</a></p>'
    return _page(f"Reports{where}", body, width="46rem", above="3rem")


def _listed(entry: Entry) -> str:
    name = f"{entry.name}/" if entry.is_folder else entry.name
    at = f"{entry.changed_at:%Y-%m-%d %H:%M} UTC ({entry.changed_at.astimezone(_KST):%H:%M} KST)"
    size = "" if entry.is_folder else f", {max(1, round(entry.size / 1024)):,} KiB"
    link = f'<a href="./{quote(name)}">{escape(name)}</a>'
    return f'<li>{link}<span class="quiet">{at}{size}</span></li>'


def _page(title: str, body: str, head: str = "", width: str = "24rem", above: str = "12vh") -> str:
    return _PAGE.substitute(title=title, body=body, head=head, width=width, above=above)
