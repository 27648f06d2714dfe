"""Names for browsers, so that people recognise their own in a list.

A guess from the User-Agent, for reading only; nothing is decided by it.
"""

from typing import Final

from host.language import _

# The order matters: nearly every browser also claims to be the ones further down.
BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
    ("curl", "curl"),
)
SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def browser_name(user_agent: str) -> str:
    """`Firefox on Linux`, as far as can be told."""
    browser = next((name for sign, name in BROWSERS if sign in user_agent), _("Some browser"))
    system = next((name for sign, name in SYSTEMS if sign in user_agent), None)
    if system is None:
        return browser
    return _("{browser} on {system}", browser=browser, system=system)
