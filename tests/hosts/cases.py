"""The cases in Python: see cases.c."""

import json
import sys

from engage_point_shop import Client, Code, NotSent, Pending, Declined

NAMES = {"waitMs": "wait_ms", "purchaseId": "purchase_id", "contactType": "contact_type"}


def main() -> None:
    sys.stdout.reconfigure(encoding="utf-8")
    with open(sys.argv[1], encoding="utf-8") as file:
        cases = json.load(file)
    for number, case in enumerate(cases):
        config = {"baseUrl": sys.argv[2], "apiKey": f"case-{number}", "userAgent": "Cases/1", "journal": "memory"}
        options = {NAMES.get(key, key): value for key, value in case.get("options", {}).items()}
        code, outcome = int(Code.OK), "completed"
        with Client(config) as shop:
            try:
                result = getattr(shop, case["call"])(*case["arguments"], **options)
                if case["call"] == "list_unacknowledged":
                    result = {"operations": result}
            except Declined as error:
                code, outcome, result = error.code, "declined", error.problem
            except Pending as error:
                code, outcome, result = error.code, "pending", error.problem
            except NotSent as error:
                code, outcome, result = error.code, "notSent", error.problem
        print(number, "EPS_" + Code(code).name, outcome, json.dumps(result), sep="\t")


main()
