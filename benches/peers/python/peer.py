"""A till in Python, as its vendor would write it: `requests` with a session, or `httpx` with a client."""

import json
import os
import sys
import time

ITEM = "b0000000-0000-4000-8000-000000000001"
HEADERS = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "Fixture/1.0", "apikey": "key"}
WARM_UP = 20


def main(library, base, ca, what, count):
    count = int(count)
    if library == "requests":
        import requests

        client, body_as = requests.Session(), "data"
        client.verify = ca
    else:
        import ssl

        import httpx

        client, body_as = httpx.Client(verify=ssl.create_default_context(cafile=ca)), "content"
    client.headers.update(HEADERS)
    items = int(what.partition(":")[2] or -1)
    url = f"{base}/api/v3/point-shop-items?contactId=a0000000-0000-4000-8000-{items:012}"

    def one(number):
        if items >= 0:
            response = client.get(url)
            response.raise_for_status()
            assert sum(bool(item["id"]) and item["cost"] > 0 for item in response.json()) == items
        else:
            body = {
                "contactId": f"{os.getpid():08x}-0000-4000-8000-{number:012x}",
                "pointShopItemPurchaseId": f"{os.getpid():08x}-0001-4000-8000-{number:012x}",
                "pointShopItemId": ITEM,
            }
            response = client.post(f"{base}/api/v3/point-shop-items/purchase", **{body_as: json.dumps(body)})
            response.raise_for_status()
            assert response.json()["status"] == "Completed"

    began = time.monotonic()
    one(0)
    print(f"first {(time.monotonic() - began) * 1e6:.0f}", flush=True)
    sys.stdin.readline()
    for number in range(1, WARM_UP + 1):
        one(number)
    took = []
    cpu = time.process_time()
    for number in range(count):
        began = time.monotonic()
        one(WARM_UP + 1 + number)
        took.append(time.monotonic() - began)
    cpu = (time.process_time() - cpu) / count
    print(f"p50 {sorted(took)[count // 2] * 1e6:.1f} cpu {cpu * 1e6:.1f}")


main(*sys.argv[1:])
