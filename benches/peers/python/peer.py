"""A till in Python, as its vendor would write it: `requests` with a session, or `httpx` with a client."""

import json
import os
import sys
import time

ITEM = "b0000000-0000-4000-8000-000000000001"
HEADERS = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "Fixture/1.0", "apikey": "key"}
WARM_UP = 20
ITEMS_OF_A_SALE = 10


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

    def member(number):
        return f"a0000000-0000-4000-8000-{number:012}"

    def get(path, **parameters):
        response = client.get(f"{base}/api/v3/{path}", params=parameters)
        response.raise_for_status()
        return response.json()

    def post(path, body):
        response = client.post(f"{base}/api/v3/{path}", **{body_as: json.dumps(body)})
        response.raise_for_status()
        return response.json()

    def read_items(number):
        found = get("point-shop-items", contactId=member(number))
        assert sum(bool(item["id"]) and item["cost"] > 0 for item in found) == number

    def purchase(number):
        body = {
            "contactId": f"{os.getpid():08x}-0000-4000-8000-{number:012x}",
            "pointShopItemPurchaseId": f"{os.getpid():08x}-0001-4000-8000-{number:012x}",
            "pointShopItemId": ITEM,
        }
        assert post("point-shop-items/purchase", body)["status"] == "Completed"

    def redeem():
        rewards = get("promotion-assignments", redemptionChannelType="POS", contactId=member(ITEMS_OF_A_SALE))
        assert post(f"promotion-assignments/{rewards[0]['id']}/redeem", {"redemptionChannelType": "POS"})["redeemed"]

    def one(number):
        if items >= 0:
            read_items(items)
        elif what == "sale":
            read_items(ITEMS_OF_A_SALE)
            purchase(number)
            redeem()
        else:
            purchase(number)

    began = time.monotonic()
    one(0)
    print(f"first {(time.monotonic() - began) * 1e6:.0f}", flush=True)
    sys.stdin.readline()
    for number in range(1, WARM_UP + 1):
        one(number)
    took = []
    cpu = time.process_time()
    pause = int(os.environ.get("EPS_BENCH_PAUSE_US", "0")) / 1e6
    for number in range(count):
        if pause:
            time.sleep(pause)
        began = time.monotonic()
        one(WARM_UP + 1 + number)
        took.append(time.monotonic() - began)
    cpu = (time.process_time() - cpu) / count
    p50, p99, p999 = (sorted(took)[count * part // 1000] * 1e6 for part in (500, 990, 999))
    print(f"p50 {p50:.1f} cpu {cpu * 1e6:.1f} p99 {p99:.1f} p999 {p999:.1f}")


main(*sys.argv[1:])
