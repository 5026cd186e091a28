"""A till that keeps running and has no journal: its purchase ids are in memory only.

resident_till.py PORT sells at http://127.0.0.1:PORT/sell. `resident_till.py PORT --line` asks such a till for
one sale, as the environment says, and ends with the exit code of the outcome.
"""

import http.client
import http.server
import json
import os
import ssl
import sys
import threading
import urllib.error
import urllib.request
import uuid

CODES = {"completed": 0, "declined": 10, "pending": 11, "notSent": 12}
ids: dict[str, str] = {}
lock = threading.Lock()


def purchase(sale: dict[str, str], config: dict[str, str]) -> str:
    with lock:
        purchase_id = ids.setdefault(json.dumps([sale["reference"], sale["contact"], sale["item"]]), str(uuid.uuid4()))
    body = {"contactId": sale["contact"], "pointShopItemPurchaseId": purchase_id, "pointShopItemId": sale["item"]}
    headers = {"apikey": config["key"], "User-Agent": "ResidentTill/1.0", "Content-Type": "application/json"}
    url = config["url"] + "/api/v3/point-shop-items/purchase"
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers)
    context = ssl.create_default_context(cafile=config["ca"])
    try:
        with urllib.request.urlopen(request, context=context, timeout=int(sale["waitMs"]) / 1000) as response:
            return {"Completed": "completed", "Failed": "declined"}.get(json.load(response)["status"], "pending")
    except urllib.error.HTTPError as error:
        return "declined" if error.code in (400, 422) else "pending"
    except (OSError, ValueError, http.client.HTTPException):
        return "pending"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        sale = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        config = sale.get("config") or {name: os.environ["ENGAGE_" + name.upper()] for name in ("url", "ca", "key")}
        response = json.dumps({"outcome": purchase(sale, config)}).encode()
        try:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(response)
        except OSError:
            pass  # The adapter was killed.

    def log_message(self, *_: object) -> None:
        pass


def line(port: int) -> int:
    names = {"contact": "CONTACT", "item": "ITEM", "reference": "REFERENCE", "waitMs": "WAIT_MS"}
    sale: dict[str, object] = {key: os.environ["ENGAGE_" + name] for key, name in names.items()}
    sale["config"] = {name: os.environ["ENGAGE_" + name.upper()] for name in ("url", "ca", "key")}
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/sell", data=json.dumps(sale).encode()) as response:
        return CODES[json.load(response)["outcome"]]


if __name__ == "__main__":
    if sys.argv[2:] == ["--line"]:
        sys.exit(line(int(sys.argv[1])))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
