"""Sell loyalty rewards for points at the till: engage_point_shop for Python.

    config = {
        "baseUrl": "https://acme.voyado.com",
        "apiKey": key,
        "userAgent": "AcmePOS/1.5",
        "journalPath": "/var/lib/acmepos/points.db",
    }
    with Client(config) as shop:
        try:
            bought = shop.purchase(contact, item, reference="receipt 4711", wait_ms=8000)
        except Pending: ...  # the outcome is not known yet: let the sale go on
        except Declined: ...  # Engage declined it: nothing was deducted
        except NotSent: ...  # nothing has left the till: the call may be repeated

engage_point_shop.h specifies each call. A call blocks only its own thread and releases the
interpreter while it waits. Ctrl-C ends a call of the main thread. asyncio programs use AsyncClient.
`python -m engage_point_shop` checks the installation.
"""

from .aio import AsyncClient
from .client import Client, Id, action_of, json_get, json_quote, log_to, meaning_of, new_id, version
from .codes import ABI_VERSION, Action, Code, LogLevel, Outcome
from .errors import Declined, LibraryError, NotSent, Pending, PointShopError, Problem
from .types import (
    Config,
    FoundReward,
    HealthCheck,
    HealthReport,
    JournalCopy,
    Operation,
    OperationPage,
    PurchasedOperation,
    Receipt,
    Resolution,
    Review,
    Stats,
)

__all__ = [
    "ABI_VERSION",
    "Action",
    "AsyncClient",
    "Client",
    "Code",
    "Config",
    "Declined",
    "FoundReward",
    "HealthCheck",
    "HealthReport",
    "Id",
    "JournalCopy",
    "LibraryError",
    "LogLevel",
    "NotSent",
    "Operation",
    "OperationPage",
    "Outcome",
    "Pending",
    "PointShopError",
    "Problem",
    "PurchasedOperation",
    "Receipt",
    "Resolution",
    "Review",
    "Stats",
    "action_of",
    "json_get",
    "json_quote",
    "log_to",
    "meaning_of",
    "new_id",
    "version",
]
