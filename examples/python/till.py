"""A till that sells rewards for points: what a POS vendor would write in Python.

Word for word the till of examples/c, which tells its options and exit codes.
"""

from __future__ import annotations

import sys

from engage_point_shop import Client, NotSent, Pending, PointShopError, Declined

BOUGHT, FAILED, USAGE, REFUSED, PENDING, NOT_SENT = 0, 1, 2, 10, 11, 12


# --- Small helpers -----------------------------------------------------------------------------------------------------


def show_problem(what: str, error: PointShopError) -> None:
    """Tells the technician what is wrong: the code's name, the message, and every link of the cause."""
    print(f"{what}: {error}", file=sys.stderr)
    for cause in error.problem["cause"]:
        print(f"    because: {cause}", file=sys.stderr)
    if error.problem["httpStatus"]:
        print(f"    HTTP status {error.problem['httpStatus']} {error.problem['engageCode'] or ''}".rstrip(), file=sys.stderr)


def tell_cashier(error: PointShopError) -> None:
    """Tells the cashier what came of a call. The band says what to do next ..."""
    print(
        {
            # A mistake in this program.
            -1: "==> The till made a mistake. Nothing was sent. Call the till's vendor.",
            # Configuration or credentials; also Engage's 401 and 403.
            -2: "==> The till is not set up right. No points were deducted. Call the administrator.",
            # Engage's definite no.
            -3: "==> The purchase was refused. No points were deducted. Tell the member.",
            # It is certain that nothing was sent.
            -4: "==> Nothing was sent. You may try again.",
            # Not known yet; a new press joins it, it never deducts twice.
            -5: "==> Not known yet. Let the sale go on; the till finds out by itself.",
            # The journal: no purchase is sent that could not be written down before.
            -6: "==> The till cannot keep its journal. Nothing was sent. Call the administrator.",
        }.get(
            int(error.code / 100),
            # A fault of the library, or a band that is younger than this program: never call it failed.
            "==> Not known yet. Let the sale go on, and call the administrator.",
        )
    )


def exit_code(error: PointShopError) -> int:
    """... and its kind says what it means for the points, also for codes that are younger than this program."""
    if isinstance(error, Declined):
        return REFUSED
    return NOT_SENT if isinstance(error, NotSent) else PENDING


# --- The steps of a sale -----------------------------------------------------------------------------------------------


def acknowledge(shop: Client, operation_id: str) -> None:
    """Says that the till has noted an outcome. Should it fail, the operation simply shows up again at the next start."""
    try:
        shop.acknowledge(operation_id)
    except PointShopError as error:
        show_problem("cannot acknowledge", error)


def print_reward(shop: Client, operation_id: str) -> str | None:
    """Finds the reward that a purchase gave and prints it for the member. Its assignment's id, if it is certain."""
    try:
        found = shop.find_reward(operation_id)
    except PointShopError as error:
        show_problem("cannot find the reward", error)
        return None
    receipt = found["receipt"]
    if found["assignmentId"] is None or receipt is None:
        print(f"The reward cannot be told yet ({found['certainty']}): look among the member's rewards.")
        return None
    print(f"Reward: {receipt['title'] or ''}")
    for what, text in [
        ("", receipt["description"]),
        ("Barcode: ", receipt["barcode"]),
        ("Valid until: ", receipt["expiresOn"]),
        ("Cashier: ", receipt["instruction"]),
    ]:
        if text:
            print(f"    {what}{text}")
    return found["assignmentId"]


def redeem(shop: Client, given: dict[str, str], contact: str, assignment: str) -> None:
    """Uses the reward on this receipt. There is no undo."""
    try:
        redeemed = shop.redeem_reward(contact, assignment, reference=given.get("--reference"), wait_ms=wait_of(given))
    except PointShopError as error:
        if isinstance(error, Declined):
            print("==> The reward cannot be used on this receipt.")
        elif isinstance(error, NotSent):
            print("==> The reward is not used. You may try again.")
        else:
            print("==> Not known yet whether the reward is used. Let the sale go on; the till finds out by itself.")
        show_problem("redeem", error)
        if not isinstance(error, Pending) and error.problem["operationId"]:
            acknowledge(shop, error.problem["operationId"])
        return
    print("==> The reward is used on this receipt.")
    acknowledge(shop, redeemed["operationId"])


def finish_earlier_sales(shop: Client) -> None:
    """What an earlier run left: shown, and acknowledged where the outcome is known. This is how a power cut ends well.

    What is pending still is left alone: the library goes on settling it.
    """
    try:
        shop.resolve_pending(wait_ms=5000)
    except PointShopError as error:
        show_problem("cannot settle earlier sales now", error)
    try:
        operations = shop.list_unacknowledged()
    except PointShopError as error:
        return show_problem("cannot list earlier sales", error)
    for operation in operations:
        kind, outcome = operation["kind"], operation["outcome"]
        print(f"Earlier {kind} {operation['operationId']} ({operation['reference'] or ''}): {outcome}")
        if kind == "purchase" and outcome == "completed":
            print_reward(shop, operation["operationId"])  # The member gets it now; it is used at the next visit.
        if operation["needsReview"]:
            print("    The till cannot find out. Look for it among the member's purchases at Engage.")
            acknowledge(shop, operation["operationId"])
        elif outcome != "pending":
            acknowledge(shop, operation["operationId"])


def find_member(shop: Client, member: str) -> str:
    """Finds the member by what was given, "email=astrid@example.com": the contact's id."""
    key, _, value = member.partition("=")
    try:
        contact = shop.find_contact(key, value)
    except PointShopError as error:
        if -400 < error.code <= -300:
            print("==> There is no such member.")
        else:
            tell_cashier(error)
        show_problem("cannot find the member", error)
        raise
    print(f"The member is {contact}.")
    return contact


def points_of(shop: Client, contact: str) -> float | None:
    """The member's points, if they can be told."""
    try:
        return float(sum(account["balance"] for account in shop.list_points(contact)))
    except PointShopError as error:
        show_problem("cannot read the points", error)
        return None


def choose_offer(shop: Client, given: dict[str, str], contact: str, points: float) -> str | None:
    """Shows the offers and picks the wanted one, else the first that the member can afford."""
    try:
        items = shop.list_items(contact)
    except PointShopError as error:
        tell_cashier(error)
        show_problem("cannot list the offers", error)
        raise
    wanted, chosen = given.get("--item"), None
    print("Offers:")
    for item in items:
        if chosen is None and (item["id"] == wanted if wanted else item["cost"] <= points):
            chosen = str(item["id"])
        title = (item.get("presentation") or {}).get("title") or item.get("name") or ""
        print(f"  {item['cost']:6.0f} points  {title}")
    if chosen is None:
        print("The member is not offered this item." if wanted else "There is no offer the member can buy.")
    return chosen


def buy(shop: Client, given: dict[str, str], contact: str, item: str) -> int:
    """Buys, shows what came of it, and acknowledges what is known."""
    try:
        # The receipt's number: the same receipt pressed twice is one purchase, also after a restart. The rewards first, so that the
        # new one can be told from old ones.
        bought = shop.purchase(
            contact, item, reference=given.get("--reference"), snapshot_rewards=True, wait_ms=wait_of(given)
        )
    except PointShopError as error:
        tell_cashier(error)
        show_problem("purchase", error)
        # Printed, so noted. One that is pending is noted when its outcome is known, at the next start at the latest.
        if not isinstance(error, Pending) and error.problem["operationId"]:
            acknowledge(shop, error.problem["operationId"])
        return exit_code(error)
    print("==> The reward is bought.")
    cost = (bought["purchase"] or {}).get("cost") or 0
    print(f"Purchase {bought['purchaseId']} for {cost:.0f} points", end="")
    print(" (asked for before: bought once)" if bought["existing"] else "")
    assignment = print_reward(shop, bought["operationId"])
    if assignment is not None and "--no-redeem" not in given:
        redeem(shop, given, contact, assignment)
    acknowledge(shop, bought["operationId"])
    return BOUGHT


def show_purchases(shop: Client, contact: str) -> None:
    try:
        purchases = shop.list_purchases(contact)
    except PointShopError as error:
        return show_problem("cannot list the purchases", error)
    print("Purchases:")
    for purchase in purchases:
        print(f"  {purchase.get('cost') or 0:6.0f} points  {purchase.get('status') or '':10} {purchase.get('createdOn') or ''}")


def sell(shop: Client, given: dict[str, str], contact: str) -> int:
    """One sale, from the member to the receipt."""
    points = points_of(shop, contact)
    if points is not None:
        print(f"The member has {points:.0f} points.")
    item = choose_offer(shop, given, contact, -1 if points is None else points)
    if item is None:
        return FAILED
    result = buy(shop, given, contact, item)
    show_purchases(shop, contact)
    points = points_of(shop, contact)
    if points is not None:
        print(f"The member has {points:.0f} points left.")
    return result


# --- The program -------------------------------------------------------------------------------------------------------


def read_arguments(words: list[str]) -> dict[str, str] | None:
    known = {"--url", "--key", "--ca", "--journal", "--contact", "--member", "--item", "--reference", "--wait", "--request-timeout"}
    given: dict[str, str] = {}
    left = iter(words)
    for word in left:
        if word == "--no-redeem":
            given[word] = ""
            continue
        value = next(left, None)
        if word not in known or value is None:
            return None
        given[word] = value
    if "--url" not in given or "--journal" not in given:
        return None
    times = given.get("--wait", "0"), given.get("--request-timeout", "0")
    if not all(ms.isascii() and ms.isdigit() for ms in times):
        return None
    if "=" not in given.get("--member", "=") or ("--contact" in given) == ("--member" in given):
        return None
    return given


def wait_of(given: dict[str, str]) -> int | None:
    return int(given["--wait"]) if "--wait" in given else None


def main() -> int:
    given = read_arguments(sys.argv[1:])
    if given is None:
        print(
            "usage: till --url URL --key KEY --journal FILE --contact GUID | --member KEY=VALUE"
            " [--ca FILE] [--item GUID] [--reference TEXT] [--wait MS] [--request-timeout MS] [--no-redeem]",
            file=sys.stderr,
        )
        return USAGE
    # A pipe or a console: what the cashier reads comes at once and in order, in UTF-8.
    sys.stdout.reconfigure(encoding="utf-8", line_buffering=True)  # type: ignore[union-attr]
    config: dict[str, str | int | None] = {
        "baseUrl": given["--url"],
        "userAgent": "ExampleTill/1.0",
        "journalPath": given["--journal"],
        "apiKey": given.get("--key"),
        "caFile": given.get("--ca"),
    }
    if "--request-timeout" in given:
        config["requestTimeoutMs"] = int(given["--request-timeout"])
    try:
        shop = Client(config)
    except PointShopError as error:
        show_problem("cannot open the point shop", error)
        return FAILED
    # Closed at the end. Purchases under way stay in the journal and are settled after the next start.
    with shop:
        finish_earlier_sales(shop)
        try:
            return sell(shop, given, given.get("--contact") or find_member(shop, given["--member"]))
        except PointShopError as error:  # Shown already.
            return exit_code(error)


if __name__ == "__main__":
    sys.exit(main())
