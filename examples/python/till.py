"""A till that sells rewards for points, as a POS vendor would write it in Python.

It is the till of examples/c, which describes the options and the exit codes.
"""

from __future__ import annotations

import json
import os
import sys

from engage_point_shop import Action, Client, Code, Declined, NotSent, Operation, Pending, PointShopError

COMPLETED, FAILED, USAGE, DECLINED, PENDING, NOT_SENT = 0, 1, 2, 10, 11, 12


# --- Small helpers --------------------------------------------------------------------------------


def show_problem(step: str, error: PointShopError) -> None:
    """Prints a problem for the technician: its code, its message and every cause."""
    print(f"{step}: {error}", file=sys.stderr)
    for cause in error.problem["cause"]:
        print(f"    because: {cause}", file=sys.stderr)
    if error.problem["httpStatus"]:
        print(f"    HTTP status {error.problem['httpStatus']} {error.problem['engageCode'] or ''}".rstrip(), file=sys.stderr)


def show_cashier(error: PointShopError) -> None:
    """Prints the outcome for the cashier, and what the member is shown.

    The library has both texts for every code, also a newer one; "language" in the configuration
    chooses their language. The action says who acts: a fault of the program is nothing that a
    member should read about.
    """
    print(f"==> {error.problem['forCashier']}")
    if error.action != Action.FIX_PROGRAM:
        print(f"    For the member: {error.problem['forMember']}")


def exit_code(error: PointShopError) -> int:
    """Returns the exit code.

    The exception's type says what happened to the points, also for a code that is newer than this
    program.
    """
    if isinstance(error, Declined):
        return DECLINED
    return NOT_SENT if isinstance(error, NotSent) else PENDING


# --- The steps of a sale --------------------------------------------------------------------------


def acknowledge(shop: Client, operation_id: str) -> None:
    """Acknowledges an outcome that the till has printed.

    If it fails, the operation is listed again at the next start.
    """
    try:
        shop.acknowledge(operation_id)
    except PointShopError as error:
        show_problem("cannot acknowledge", error)


def acknowledge_receipt(shop: Client, reference: str | None, operation_id: str) -> None:
    """Acknowledges a receipt that the till has printed, the purchase and its redeem in one step.

    While one of them is pending, only the operation is acknowledged.
    """
    if reference is None:
        return acknowledge(shop, operation_id)
    try:
        shop.acknowledge_reference(reference)
    except PointShopError as error:
        if error.code == Code.STILL_PENDING:
            acknowledge(shop, operation_id)
        else:
            show_problem("cannot acknowledge", error)


def print_reward(shop: Client, operation_id: str) -> str | None:
    """Finds the reward of a purchase and prints it for the member.

    Returns the assignment's id if the reward is certain.
    """
    try:
        found = shop.find_reward(operation_id)
    except PointShopError as error:
        show_problem("cannot find the reward", error)
        return None
    receipt = found["receipt"]
    if found["assignmentId"] is None or receipt is None:
        print(f"The reward is not certain yet ({found['certainty']}). Check the member's list of rewards.")
        return None
    print(f"Reward: {receipt['title'] or ''}")
    for label, text in [
        ("", receipt["description"]),
        ("Barcode: ", receipt["barcode"]),
        ("Valid until: ", receipt["expiresOn"]),
        ("Cashier: ", receipt["instruction"]),
    ]:
        if text:
            print(f"    {label}{text}")
    return found["assignmentId"]


def redeem(shop: Client, given: dict[str, str], contact: str, assignment: str) -> None:
    """Uses the reward on this receipt. A redeem cannot be undone.

    With a receipt's number, the whole receipt is acknowledged at its end.
    """
    reference = given.get("--reference")
    try:
        redeemed = shop.redeem_reward(contact, assignment, reference=reference, wait_ms=wait_of(given))
    except PointShopError as error:
        if isinstance(error, Declined) and error.action == Action.TELL_MEMBER:
            print("==> The reward cannot be used on this receipt.")
        elif isinstance(error, Declined):
            print("==> Rewards cannot be used now. Call the administrator.")
        elif isinstance(error, NotSent):
            print("==> The reward is not used. You may try again.")
        elif error.action == Action.REVIEW:
            print("==> A person must check whether the reward is used. Let the sale go on.")
        else:
            print("==> The use of the reward is pending. Let the sale go on. The POS resolves it by itself.")
        show_problem("redeem", error)
        if reference is None and not isinstance(error, Pending) and error.problem["operationId"]:
            acknowledge(shop, error.problem["operationId"])
        return
    print("==> The reward is used on this receipt.")
    if reference is None:
        acknowledge(shop, redeemed["operationId"])


def note_shown(given: dict[str, str], operation: Operation) -> None:
    """Adds a line for an earlier purchase to the file of --shown."""
    if "--shown" in given:
        with open(given["--shown"], "a", encoding="utf-8") as file:
            file.write(f"{operation['reference'] or ''}\t{operation['outcome']}\n")


def show_earlier(shop: Client, given: dict[str, str], operation: Operation) -> None:
    """Shows an operation of an earlier run, and acknowledges it if its outcome is known.

    After a power cut, this step gives the member the reward.
    """
    kind, outcome = operation["kind"], operation["outcome"]
    print(f"Earlier {kind} {operation['operationId']} ({operation['reference'] or ''}): {outcome}")
    if kind == "purchase":
        note_shown(given, operation)
        if outcome == "completed":
            print_reward(shop, operation["operationId"])  # The member uses it at the next visit.
    # It stays pending and listed until a person has decided (resolve_review, or eps review).
    if operation["needsReview"]:
        print("    A person must decide. Compare the member's purchases and rewards in Engage with the receipt,")
        print(f"    then store the decision: eps review {operation['operationId']}")
    if outcome != "pending":
        acknowledge(shop, operation["operationId"])


def show_earlier_sales(shop: Client, given: dict[str, str]) -> list[Operation]:
    """Shows the operations of an earlier run and returns them.

    The library resolves those that are pending.
    """
    try:
        operations = shop.list_unacknowledged()
    except PointShopError as error:
        show_problem("cannot list earlier sales", error)
        return []
    for operation in operations:
        show_earlier(shop, given, operation)
    return operations


def resolve_earlier_sales(shop: Client, given: dict[str, str], earlier: list[Operation]) -> None:
    """Resolves the earlier sales that are still pending, after the sale.

    This program ends here, so that the library has no time to resolve them in the background. A POS
    that keeps running needs no such step, and no POS takes it at its start: all tills share the
    requests of one key.
    """
    pending = [each for each in earlier if each["outcome"] == "pending" and not each["needsReview"]]
    if not pending:
        return
    try:
        shop.resolve_pending(wait_ms=5000)
    except PointShopError as error:
        show_problem("cannot resolve earlier sales now", error)
    for operation in pending:
        try:
            now = shop.get_operation(operation["operationId"])
        except PointShopError as error:
            show_problem("cannot read an earlier sale", error)
            continue
        if now["outcome"] != "pending" and now["acknowledgedAtMs"] is None:
            show_earlier(shop, given, now)


def find_member(shop: Client, member: str) -> str:
    """Finds the member by a key and a value, "email=astrid@example.com". Returns the contact's id."""
    key, _, value = member.partition("=")
    try:
        contact = shop.find_contact(key, value)
    except PointShopError as error:
        show_cashier(error)
        show_problem("cannot find the member", error)
        raise
    print(f"The member is {contact}.")
    return contact


def points_of(shop: Client, contact: str) -> float | None:
    """Returns the member's points, if they can be read."""
    try:
        return float(sum(account["balance"] for account in shop.list_points(contact)))
    except PointShopError as error:
        show_problem("cannot read the points", error)
        return None


def choose_offer(shop: Client, given: dict[str, str], contact: str, points: float) -> str | None:
    """Shows the offers and chooses the wanted one, else the first that the member can afford."""
    try:
        items = shop.list_items(contact)
    except PointShopError as error:
        show_cashier(error)
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
    """Buys an item, prints the outcome, and acknowledges it unless it is pending."""
    try:
        # With the receipt's number, a second press is the same purchase, also after a restart. With
        # the snapshot of the rewards, the new reward is distinguished from older ones.
        bought = shop.purchase(
            contact, item, reference=given.get("--reference"), snapshot_rewards=True, wait_ms=wait_of(given)
        )
    except PointShopError as error:
        show_cashier(error)
        show_problem("purchase", error)
        # The outcome is printed, so it is acknowledged. A pending operation is acknowledged when
        # its outcome is known.
        if not isinstance(error, Pending) and error.problem["operationId"]:
            acknowledge_receipt(shop, given.get("--reference"), error.problem["operationId"])
        return exit_code(error)
    print("==> The reward is bought.")
    cost = (bought["purchase"] or {}).get("cost") or 0
    print(f"Purchase {bought['purchaseId']} for {cost:.0f} points", end="")
    print(" (existing purchase: nothing was deducted again)" if bought["existing"] else "")
    assignment = print_reward(shop, bought["operationId"])
    if assignment is not None and "--no-redeem" not in given:
        redeem(shop, given, contact, assignment)
    acknowledge_receipt(shop, given.get("--reference"), bought["operationId"])
    return COMPLETED


def show_purchases(shop: Client, contact: str) -> None:
    try:
        purchases = shop.list_purchases(contact)
    except PointShopError as error:
        return show_problem("cannot list the purchases", error)
    print("Purchases:")
    for purchase in purchases:
        print(f"  {purchase.get('cost') or 0:6.0f} points  {purchase.get('status') or '':10} {purchase.get('createdOn') or ''}")


def item_of_receipt(earlier: list[Operation], given: dict[str, str], contact: str) -> str | None:
    """Returns the item that an earlier run bought on this receipt for the member.

    The second press means that purchase, also when the offers cannot be read.
    """
    reference = given.get("--reference")
    for operation in earlier:
        if (
            reference is not None
            and operation["reference"] == reference
            and operation["contactId"] == contact
            and operation["outcome"] in ("pending", "completed")
        ):
            return operation["itemId"]
    return None


def sell(shop: Client, given: dict[str, str], contact: str, earlier: list[Operation]) -> int:
    """Makes one sale, from the member to the receipt."""
    points = points_of(shop, contact)
    if points is not None:
        print(f"The member has {points:.0f} points.")
    item = item_of_receipt(earlier, given, contact)
    if item is None:
        item = choose_offer(shop, given, contact, -1 if points is None else points)
    if item is None:
        return FAILED
    result = buy(shop, given, contact, item)
    show_purchases(shop, contact)
    points = points_of(shop, contact)
    if points is not None:
        print(f"The member has {points:.0f} points left.")
    return result


def sell_to_member(shop: Client, given: dict[str, str], earlier: list[Operation]) -> int:
    """Finds the member, if the contact's id is not given, and makes the sale."""
    try:
        return sell(shop, given, given.get("--contact") or find_member(shop, given["--member"]), earlier)
    except PointShopError as error:  # The step that failed has printed it.
        return exit_code(error)


def serve(shop: Client, given: dict[str, str]) -> int:
    """Sells until standard input ends: one line with a sale, one line with its outcome.

    The library resolves pending sales in the background, and the next sale shows them.
    """
    names = {COMPLETED: "completed", DECLINED: "declined", PENDING: "pending", NOT_SENT: "notSent"}
    for line in sys.stdin:
        sale = json.loads(line)
        earlier = show_earlier_sales(shop, given)
        values = {"--contact": sale["contact"], "--item": sale["item"], "--reference": sale["reference"]}
        result = sell_to_member(shop, {**given, **values, "--wait": str(sale["waitMs"])}, earlier)
        print(json.dumps({"outcome": names.get(result, "failed")}))
    return COMPLETED


# --- The program ----------------------------------------------------------------------------------


TIMES = ("--wait", "--request-timeout", "--startup-jitter")


def read_arguments(arguments: list[str]) -> dict[str, str] | None:
    known = {"--url", "--key", "--ca", "--journal", "--contact", "--member", "--item", "--reference", "--shown", *TIMES}
    given: dict[str, str] = {}
    rest = iter(arguments)
    for option in rest:
        if option in ("--no-redeem", "--serve"):
            given[option] = ""
            continue
        value = next(rest, None)
        if option not in known or value is None:
            return None
        given[option] = value
    if "--url" not in given or "--journal" not in given:
        return None
    times = [given.get(name, "0") for name in TIMES]
    if not all(ms.isascii() and ms.isdigit() for ms in times):
        return None
    if "=" not in given.get("--member", "="):
        return None
    if "--serve" not in given and ("--contact" in given) == ("--member" in given):
        return None
    return given


def wait_of(given: dict[str, str]) -> int | None:
    return int(given["--wait"]) if "--wait" in given else None


def main() -> int:
    given = read_arguments(sys.argv[1:])
    if given is None:
        print(
            "usage: till --url URL --key KEY --journal FILE --contact GUID | --member KEY=VALUE"
            " [--ca FILE] [--item GUID] [--reference TEXT] [--wait MS] [--request-timeout MS] [--startup-jitter MS]"
            " [--shown FILE] [--no-redeem] [--serve]",
            file=sys.stderr,
        )
        return USAGE
    # The cashier reads each line at once and in order, in UTF-8, also through a pipe.
    sys.stdout.reconfigure(encoding="utf-8", line_buffering=True)  # type: ignore[union-attr]
    config: dict[str, str | int | None] = {
        "baseUrl": given["--url"],
        "userAgent": "ExampleTill/1.0",
        # A relative path would be another journal when the program is started in another folder.
        "journalPath": os.path.abspath(given["--journal"]),
        "apiKey": given.get("--key"),
        "caFile": given.get("--ca"),
    }
    if "--request-timeout" in given:
        config["requestTimeoutMs"] = int(given["--request-timeout"])
    if "--startup-jitter" in given:
        config["startupJitterMs"] = int(given["--startup-jitter"])
    try:
        shop = Client(config)
    except PointShopError as error:
        show_problem("cannot open the point shop", error)
        return FAILED
    # Pending purchases stay in the journal and are resolved after the next start.
    with shop:
        if "--serve" in given:
            return serve(shop, given)
        earlier = show_earlier_sales(shop, given)
        result = sell_to_member(shop, given, earlier)
        resolve_earlier_sales(shop, given, earlier)
        return result


if __name__ == "__main__":
    sys.exit(main())
