"""A till that makes one sale and finds out early: it asks Engage about its pending sales before it ends.

Its journal is the JSON file ENGAGE_JOURNAL. The next start shows the outcome that the cashier does not
know, unless the option --forgets is given.
"""

import http.client
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
import uuid

ASKS_FOR_S = 6
CODES = {"completed": 0, "declined": 10, "pending": 11}
OUTCOMES = {"Completed": "completed", "Failed": "declined"}
CONTEXT = ssl.create_default_context(cafile=os.environ["ENGAGE_CA"])


def send(path: str, body: "dict[str, str] | None", timeout: float) -> object:
    headers = {"apikey": os.environ["ENGAGE_KEY"], "User-Agent": "EarlyTill/1.0", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(os.environ["ENGAGE_URL"] + "/api/v3/" + path, data=data, headers=headers)
    with urllib.request.urlopen(request, context=CONTEXT, timeout=timeout) as response:
        return json.load(response)


def purchase(sale: "dict[str, str]") -> str:
    body = {"contactId": sale["contact"], "pointShopItemPurchaseId": sale["id"], "pointShopItemId": sale["item"]}
    try:
        bought = send("point-shop-items/purchase", body, int(os.environ["ENGAGE_WAIT_MS"]) / 1000)
        return OUTCOMES.get(bought["status"], "pending")
    except urllib.error.HTTPError as error:
        return "declined" if error.code in (400, 422) else "pending"
    except (OSError, ValueError, http.client.HTTPException):
        return "pending"


def query(sale: "dict[str, str]") -> None:
    """Asks for the history until it has the outcome."""
    until = time.monotonic() + ASKS_FOR_S
    while sale["outcome"] == "pending" and time.monotonic() < until:
        try:
            rows = send("point-shop-item-purchases?contactId=" + sale["contact"], None, 1)
            found = [row["status"] for row in rows if row["pointShopItemPurchaseId"] == sale["id"]]
            sale["outcome"] = next((OUTCOMES[status] for status in found if status in OUTCOMES), "pending")
        except (OSError, ValueError, http.client.HTTPException):
            pass


def main() -> int:
    path = os.environ["ENGAGE_JOURNAL"]
    journal: "list[dict[str, str]]" = json.load(open(path)) if os.path.exists(path) else []
    for sale in journal:
        if sale["outcome"] != sale["known"] and "--forgets" not in sys.argv:
            sale["known"] = sale["outcome"]
            with open(os.environ["ENGAGE_SHOWN"], "a") as shown:
                shown.write(sale["reference"] + "\t" + sale["outcome"] + "\n")
    key = {name: os.environ["ENGAGE_" + name.upper()] for name in ("reference", "contact", "item")}
    sale = next((sale for sale in journal if key.items() <= sale.items()), None)
    if sale is None:
        sale = {**key, "id": str(uuid.uuid4()), "outcome": "pending"}
        journal.append(sale)
        sale["outcome"] = purchase(sale)
    sale["known"] = reported = sale["outcome"]
    # The cashier knows the outcome, and the receipt is printed.
    for pending in journal:
        query(pending)
    json.dump(journal, open(path, "w"))
    return CODES[reported]


if __name__ == "__main__":
    sys.exit(main())
