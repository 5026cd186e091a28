"""Sell loyalty rewards for points at the till: engage_point_shop for Python.

    with Client({"baseUrl": "https://acme.voyado.com", "apiKey": key, "userAgent": "AcmePOS/1.5", "journalPath": "points.db"}) as shop:
        try:
            bought = shop.purchase(contact, item, reference="receipt 4711", wait_ms=8000)
        except Pending: ...   # not known yet: let the sale go on, look at list_unacknowledged() later
        except Declined: ...   # Engage's definite no: nothing was deducted
        except NotSent: ...   # nothing left the till: it may be tried again

What each call does stands in engage_point_shop.h. A call blocks its own thread only and lets go of the interpreter while it waits;
from asyncio it is `await asyncio.to_thread(shop.purchase, contact, item)`.
"""

from .client import Client, new_id, version
from .codes import ABI_VERSION, Code, LogLevel, Outcome
from .errors import LibraryError, NotSent, Pending, PointShopError, Problem, Declined
from .types import FoundReward, Operation, PurchasedOperation, Receipt, Resolution, Stats

__all__ = [
    "ABI_VERSION",
    "Client",
    "Code",
    "FoundReward",
    "LibraryError",
    "LogLevel",
    "NotSent",
    "Operation",
    "PurchasedOperation",
    "Outcome",
    "Pending",
    "PointShopError",
    "Problem",
    "Receipt",
    "Declined",
    "Resolution",
    "Stats",
    "new_id",
    "version",
]
