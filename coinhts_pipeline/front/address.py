"""Where the one port is: what may be bound, the names it answers to, the address a person types.

What lives here: judging `COINHTS_WEB__*` before anything is bound. What stays out: who may enter (`visitors`), and what
a request says of itself (`origins`).
"""

import socket
from ipaddress import ip_address

from coinhts_core.errors import BadSettingError
from coinhts_core.settings import Web

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what a person types instead of it


def judge(web: Web) -> None:
    """Beyond loopback nobody is served without a login, and a viewer is never mistaken for the owner."""
    if web.viewer_password and not web.password:
        reason = "viewers need an owner; set COINHTS_WEB__PASSWORD as well"
        raise BadSettingError(name="COINHTS_WEB__VIEWER_PASSWORD", value="(hidden)", reason=reason)
    if web.viewer_password and web.viewer_password == web.password:
        reason = "it is the owner's; choose another"
        raise BadSettingError(name="COINHTS_WEB__VIEWER_PASSWORD", value="(hidden)", reason=reason)
    if not _is_loopback(web.host) and not web.password:
        reason = "without a login only loopback is bound; set COINHTS_WEB__PASSWORD"
        raise BadSettingError(name="COINHTS_WEB__HOST", value=web.host, reason=reason)


def reachable(web: Web) -> str:
    """The host under which this machine finds the port."""
    return _ANYWHERE.get(web.host, web.host)


def url(web: Web) -> str:
    host = reachable(web)
    return f"http://{f'[{host}]' if ':' in host else host}:{web.port}"


def names(web: Web) -> frozenset[str]:
    """The names a request may call us by; addresses need no name, for no name can be turned into one by others."""
    return frozenset({"localhost", web.host.lower(), *web.names})


def _is_loopback(host: str) -> bool:
    """Of all that a name stands for."""
    try:
        found = {str(of[4][0]).partition("%")[0] for of in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError) as error:
        reason = "there is no such host"
        raise BadSettingError(name="COINHTS_WEB__HOST", value=host, reason=reason) from error
    return all(ip_address(address).is_loopback for address in found)
