"""What a name, an e-mail address and a password must look like, decided without any I/O.

Each rule returns the value as it is stored, or says in words what it wants. `facts["field"]` of
the refusal names the field, so that a form can show the sentence beside it.
"""

import re
from typing import Final

from host.errors import InvalidInput
from host.language import _

PASSWORD_MIN: Final = 10
PASSWORD_MAX: Final = 256
"""Long enough for any passphrase; argon2 need not chew on a novel."""
NAME_MAX: Final = 80
EMAIL_MAX: Final = 254

# Whether an address exists only a letter can tell; this catches what is plainly not one.
_EMAIL: Final = re.compile(
    r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s.\x00-\x1f\x7f]+(\.[^@\s.\x00-\x1f\x7f]+)*"
)


def clean_email(written: str) -> str:
    """The address in lower case.

    Raises:
        InvalidInput: it does not look like an address.
    """
    email = written.strip().lower()
    if len(email) > EMAIL_MAX or _EMAIL.fullmatch(email) is None:
        raise refused("email", _("Enter an e-mail address, such as ada@example.com."))
    return email


def clean_name(written: str) -> str:
    """The name with single spaces.

    Raises:
        InvalidInput: it is empty, very long, or has characters that cannot be seen.
    """
    name = " ".join(written.split())
    if not name or len(name) > NAME_MAX or not name.isprintable():
        raise refused(
            "name", _("Enter a name of 1 to {most} characters, such as Ada.", most=NAME_MAX)
        )
    return name


def check_new_password(password: str, *, email: str) -> str:
    """The password, unchanged.

    Raises:
        InvalidInput: it is too short, too long, or simply the address.
    """
    if len(password) < PASSWORD_MIN:
        raise refused(
            "password",
            _(
                "Use at least {least} characters; a few words together are good.",
                least=PASSWORD_MIN,
            ),
        )
    if len(password) > PASSWORD_MAX:
        raise refused("password", _("Use at most {most} characters.", most=PASSWORD_MAX))
    if password.strip().lower() == email:
        raise refused("password", _("Choose a password that is not your e-mail address."))
    return password


def refused(field: str, sentence: str) -> InvalidInput:
    """The refusal of one field's value."""
    return InvalidInput(sentence, facts={"field": field})
