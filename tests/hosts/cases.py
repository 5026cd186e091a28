"""The cases in Python: see cases.c."""

import json
import sys

from engage_point_shop import Client, Code, NotSent, Pending, Declined, action_of, json_get, json_quote, meaning_of

NAMES = {"waitMs": "wait_ms", "purchaseId": "purchase_id", "contactType": "contact_type"}

FUNCTIONS = {
    "code_action": lambda number: action_of(int(number)).value,
    "code_meaning": lambda number: meaning_of(int(number)),
    "json_get": json_get,
    "json_quote": lambda text: json.loads(json_quote(text)),
}
"""The calls that need no client."""


def make(shop: Client, step: dict) -> object:
    """Makes the call of a case or of a step before it."""
    call = step["call"]
    if call in FUNCTIONS:
        return FUNCTIONS[call](*step["arguments"])
    options = {NAMES.get(key, key): value for key, value in step.get("options", {}).items()}
    result = getattr(shop, call)(*step["arguments"], **options)
    return {"operations": result} if call in ("list_unacknowledged", "acknowledge_reference") else result


def main() -> None:
    sys.stdout.reconfigure(encoding="utf-8")
    with open(sys.argv[1], encoding="utf-8") as file:
        cases = json.load(file)
    for number, case in enumerate(cases):
        config = {"baseUrl": sys.argv[2], "apiKey": f"case-{number}", "userAgent": "Cases/1", "journal": "memory"}
        code, outcome = int(Code.OK), "completed"
        with Client(config) as shop:
            for step in case.get("before", []):
                try:
                    make(shop, step)
                except (Declined, Pending, NotSent):
                    pass
            try:
                result = make(shop, case)
            except Declined as error:
                code, outcome, result = error.code, "declined", error.problem
            except Pending as error:
                code, outcome, result = error.code, "pending", error.problem
            except NotSent as error:
                code, outcome, result = error.code, "notSent", error.problem
        print(number, "EPS_" + Code(code).name, outcome, json.dumps(result), sep="\t")


main()
