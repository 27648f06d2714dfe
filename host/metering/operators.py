"""Who may correct what was charged or given: an operator, and whoever is at the machine itself."""

from host.catalogue.registering import By
from host.errors import NotAllowed
from storage import accounts
from storage.database import Unit
from storage.models.accounts import AccountState, Role


def require_operator(unit: Unit, by: By) -> None:
    """Let an operator pass, and nobody at all, who is the operator at the machine.

    Raises:
        NotAllowed: the actor is no operator, or was suspended.
    """
    if by.account_id is None:
        return
    actor = accounts.find_account(unit.session, by.account_id)
    is_active = actor is not None and actor.state is AccountState.ACTIVE
    if actor is None or not is_active or Role.OPERATOR not in actor.roles:
        raise NotAllowed("Only an operator can correct what was charged or given.")
