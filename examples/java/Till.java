// A till that sells rewards for points, as a POS vendor would write it in Java. It is the till of
// examples/c, which describes the options and the exit codes.

import engage.pointshop.Action;
import engage.pointshop.Client;
import engage.pointshop.Code;
import engage.pointshop.Config;
import engage.pointshop.DeclinedException;
import engage.pointshop.FoundReward;
import engage.pointshop.Json;
import engage.pointshop.NotSentException;
import engage.pointshop.Operation;
import engage.pointshop.Options;
import engage.pointshop.Outcome;
import engage.pointshop.PendingException;
import engage.pointshop.PointShopException;
import engage.pointshop.Receipt;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

final class Till {
    private static final int COMPLETED = 0, FAILED = 1, USAGE = 2, DECLINED = 10, PENDING = 11, NOT_SENT = 12;

    private final Client shop;
    private final Map<String, String> given;

    private Till(Client shop, Map<String, String> given) {
        this.shop = shop;
        this.given = given;
    }

    // --- Small helpers ---------------------------------------------------------------------------

    /** Prints a problem for the technician: its code, its message and every cause. */
    private static void showProblem(String step, PointShopException problem) {
        System.err.println(step + ": " + problem.getMessage());
        for (String cause : problem.problem().cause()) {
            System.err.println("    because: " + cause);
        }
        if (problem.problem().httpStatus() != null) {
            String code = problem.problem().engageCode();
            System.err.println("    HTTP status " + problem.problem().httpStatus() + (code == null ? "" : " " + code));
        }
    }

    /**
     * Prints the outcome for the cashier, and what the member is shown. The library has both texts
     * for every code, also a newer one; language in the configuration chooses their language. The
     * action says who acts: a fault of the program is nothing that a member should read about.
     */
    private static void showCashier(PointShopException problem) {
        System.out.println("==> " + problem.problem().forCashier());
        if (problem.action() != Action.FIX_PROGRAM) {
            System.out.println("    For the member: " + problem.problem().forMember());
        }
    }

    /**
     * Returns the exit code. The exception's type says what happened to the points, also for a code
     * that is newer than this program.
     */
    private static int exitCode(PointShopException problem) {
        return problem instanceof DeclinedException ? DECLINED : problem instanceof NotSentException ? NOT_SENT : PENDING;
    }

    private static double number(Object value) {
        return value instanceof Number ? ((Number) value).doubleValue() : 0;
    }

    private static String text(Object value) {
        return value == null ? "" : value.toString();
    }

    private static String points(double points) {
        return String.format(Locale.ROOT, "%.0f", points);
    }

    private Options options() {
        String wait = given.get("--wait");
        return new Options().set("waitMs", wait == null ? null : Long.valueOf(wait)).reference(given.get("--reference"));
    }

    // --- The steps of a sale ---------------------------------------------------------------------

    /**
     * Acknowledges an outcome that the till has printed. If it fails, the operation is listed again
     * at the next start.
     */
    private void acknowledge(String operationId) {
        try {
            shop.acknowledge(operationId);
        } catch (PointShopException problem) {
            showProblem("cannot acknowledge", problem);
        }
    }

    /**
     * Acknowledges a receipt that the till has printed, the purchase and its redeem in one step.
     * While one of them is pending, only the operation is acknowledged.
     */
    private void acknowledgeReceipt(String operationId) {
        String reference = given.get("--reference");
        if (reference == null) {
            acknowledge(operationId);
            return;
        }
        try {
            shop.acknowledgeReference(reference);
        } catch (PointShopException problem) {
            if (problem.code() == Code.STILL_PENDING) {
                acknowledge(operationId);
            } else {
                showProblem("cannot acknowledge", problem);
            }
        }
    }

    /**
     * Finds the reward of a purchase and prints it for the member. Returns the assignment's id if
     * the reward is certain.
     */
    private String printReward(String operationId) {
        FoundReward found;
        try {
            found = shop.findReward(operationId, null);
        } catch (PointShopException problem) {
            showProblem("cannot find the reward", problem);
            return null;
        }
        Receipt receipt = found.receipt();
        if (found.assignmentId() == null || receipt == null) {
            System.out.println("The reward is not certain yet (" + found.certainty() + "). Check the member's list of rewards.");
            return null;
        }
        System.out.println("Reward: " + text(receipt.title()));
        String[] labels = {"", "Barcode: ", "Valid until: ", "Cashier: "};
        String[] texts = {receipt.description(), receipt.barcode(), receipt.expiresOn(), receipt.instruction()};
        for (int at = 0; at < labels.length; at++) {
            if (!text(texts[at]).isEmpty()) {
                System.out.println("    " + labels[at] + texts[at]);
            }
        }
        return found.assignmentId();
    }

    /**
     * Uses the reward on this receipt. A redeem cannot be undone. With a receipt's number, the
     * whole receipt is acknowledged at its end.
     */
    private void redeem(String contact, String assignment) {
        boolean hasReference = given.containsKey("--reference");
        try {
            Operation redeemed = shop.redeemReward(contact, assignment, options());
            System.out.println("==> The reward is used on this receipt.");
            if (!hasReference) {
                acknowledge(redeemed.operationId());
            }
        } catch (PointShopException problem) {
            boolean isDeclined = problem instanceof DeclinedException;
            if (isDeclined && problem.action() == Action.TELL_MEMBER) {
                System.out.println("==> The reward cannot be used on this receipt.");
            } else if (isDeclined) {
                System.out.println("==> Rewards cannot be used now. Call the administrator.");
            } else if (problem instanceof NotSentException) {
                System.out.println("==> The reward is not used. You may try again.");
            } else if (problem.action() == Action.REVIEW) {
                System.out.println("==> A person must check whether the reward is used. Let the sale go on.");
            } else {
                System.out.println("==> The use of the reward is pending. Let the sale go on. The POS resolves it by itself.");
            }
            showProblem("redeem", problem);
            String operation = problem.problem().operationId();
            if (!hasReference && !(problem instanceof PendingException) && operation != null) {
                acknowledge(operation);
            }
        }
    }

    /** Adds a line for an earlier purchase to the file of --shown. */
    private void noteShown(Operation operation) {
        if (!given.containsKey("--shown")) {
            return;
        }
        String line = text(operation.reference()) + "\t" + text(operation.json().get("outcome")) + "\n";
        try {
            Files.write(Paths.get(given.get("--shown")), line.getBytes(StandardCharsets.UTF_8),
                StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /**
     * Shows an operation of an earlier run, and acknowledges it if its outcome is known. After a
     * power cut, this step gives the member the reward.
     */
    private void showEarlier(Operation operation) {
        String outcome = text(operation.json().get("outcome"));
        System.out.println("Earlier " + operation.kind() + " " + operation.operationId() + " (" + text(operation.reference()) + "): " + outcome);
        if (operation.kind().equals("purchase")) {
            noteShown(operation);
        }
        if (operation.kind().equals("purchase") && operation.outcome() == Outcome.COMPLETED) {
            printReward(operation.operationId()); // The member uses it at the next visit.
        }
        // It stays pending and listed until a person has decided (resolveReview, or eps review).
        if (operation.needsReview()) {
            System.out.println("    A person must decide. Compare the member's purchases and rewards in Engage with the receipt,");
            System.out.println("    then store the decision: eps review " + operation.operationId());
        }
        if (operation.outcome() != Outcome.PENDING) {
            acknowledge(operation.operationId());
        }
    }

    /**
     * Shows the operations of an earlier run and returns them. The library resolves those that are
     * pending.
     */
    private List<Operation> showEarlierSales() {
        List<Operation> operations;
        try {
            operations = shop.listUnacknowledged(null);
        } catch (PointShopException problem) {
            showProblem("cannot list earlier sales", problem);
            return new ArrayList<>();
        }
        operations.forEach(this::showEarlier);
        return operations;
    }

    /**
     * Resolves the earlier sales that are still pending, after the sale. This program ends here, so
     * that the library has no time to resolve them in the background. A POS that keeps running
     * needs no such step, and no POS takes it at its start: all tills share the requests of one
     * key.
     */
    private void resolveEarlierSales(List<Operation> earlier) {
        List<Operation> pending = new ArrayList<>(earlier);
        pending.removeIf(operation -> operation.outcome() != Outcome.PENDING || operation.needsReview());
        if (pending.isEmpty()) {
            return;
        }
        try {
            shop.resolvePending(new Options().waitMs(5000));
        } catch (PointShopException problem) {
            showProblem("cannot resolve earlier sales now", problem);
        }
        for (Operation operation : pending) {
            try {
                Operation now = shop.getOperation(operation.operationId());
                if (now.outcome() != Outcome.PENDING && now.acknowledgedAtMs() == null) {
                    showEarlier(now);
                }
            } catch (PointShopException problem) {
                showProblem("cannot read an earlier sale", problem);
            }
        }
    }

    /** Finds the member by a key and a value, "email=astrid@example.com". */
    private String findMember(String member) {
        int at = member.indexOf('=');
        try {
            String contact = shop.findContact(member.substring(0, at), member.substring(at + 1), null);
            System.out.println("The member is " + contact + ".");
            return contact;
        } catch (PointShopException problem) {
            showCashier(problem);
            showProblem("cannot find the member", problem);
            throw problem;
        }
    }

    /** Returns the member's points, or -1 if they cannot be read. */
    private double pointsOf(String contact) {
        try {
            return shop.listPoints(contact, null).stream().mapToDouble(account -> number(account.get("balance"))).sum();
        } catch (PointShopException problem) {
            showProblem("cannot read the points", problem);
            return -1;
        }
    }

    /** Shows the offers and chooses the wanted one, else the first that the member can afford. */
    private String chooseOffer(String contact, double points) {
        List<Map<String, Object>> items;
        try {
            items = shop.listItems(contact, null);
        } catch (PointShopException problem) {
            showCashier(problem);
            showProblem("cannot list the offers", problem);
            throw problem;
        }
        String wanted = given.get("--item");
        String chosen = null;
        System.out.println("Offers:");
        for (Map<String, Object> item : items) {
            String id = text(item.get("id"));
            double cost = number(item.get("cost"));
            if (chosen == null && (wanted == null ? cost <= points : id.equals(wanted))) {
                chosen = id;
            }
            Object presentation = item.get("presentation");
            Object title = presentation instanceof Map ? ((Map<?, ?>) presentation).get("title") : null;
            System.out.printf(Locale.ROOT, "  %6.0f points  %s%n", cost, text(title == null ? item.get("name") : title));
        }
        if (chosen == null) {
            System.out.println(wanted == null ? "There is no offer the member can buy." : "The member is not offered this item.");
        }
        return chosen;
    }

    /** Buys an item, prints the outcome, and acknowledges it unless it is pending. */
    private int buy(String contact, String item) {
        Operation bought;
        try {
            // With the receipt's number, a second press is the same purchase, also after a restart.
            // With the snapshot of the rewards, the new reward is distinguished from older ones.
            bought = shop.purchase(contact, item, options().snapshotRewards(true));
        } catch (PointShopException problem) {
            showCashier(problem);
            showProblem("purchase", problem);
            // The outcome is printed, so it is acknowledged. A pending operation is acknowledged
            // when its outcome is known.
            String operation = problem.problem().operationId();
            if (!(problem instanceof PendingException) && operation != null) {
                acknowledgeReceipt(operation);
            }
            return exitCode(problem);
        }
        System.out.println("==> The reward is bought.");
        double cost = bought.purchase() == null ? 0 : number(bought.purchase().get("cost"));
        String existing = bought.existing() ? " (existing purchase: nothing was deducted again)" : "";
        System.out.println("Purchase " + bought.purchaseId() + " for " + points(cost) + " points" + existing);
        String assignment = printReward(bought.operationId());
        if (assignment != null && !given.containsKey("--no-redeem")) {
            redeem(contact, assignment);
        }
        acknowledgeReceipt(bought.operationId());
        return COMPLETED;
    }

    private void showPurchases(String contact) {
        try {
            List<Map<String, Object>> purchases = shop.listPurchases(contact, null);
            System.out.println("Purchases:");
            for (Map<String, Object> purchase : purchases) {
                System.out.printf(Locale.ROOT, "  %6.0f points  %-10s %s%n",
                    number(purchase.get("cost")), text(purchase.get("status")), text(purchase.get("createdOn")));
            }
        } catch (PointShopException problem) {
            showProblem("cannot list the purchases", problem);
        }
    }

    /**
     * Returns the item that an earlier run bought on this receipt for the member. The second press
     * means that purchase, also when the offers cannot be read.
     */
    private String itemOfReceipt(List<Operation> earlier, String contact) {
        String reference = given.get("--reference");
        for (Operation operation : earlier) {
            if (reference != null && reference.equals(operation.reference()) && contact.equals(operation.contactId())
                && (operation.outcome() == Outcome.PENDING || operation.outcome() == Outcome.COMPLETED)) {
                return operation.itemId();
            }
        }
        return null;
    }

    /** Makes one sale, from the member to the receipt. */
    private int sell(String contact, List<Operation> earlier) {
        double points = pointsOf(contact);
        if (points >= 0) {
            System.out.println("The member has " + points(points) + " points.");
        }
        String item = itemOfReceipt(earlier, contact);
        if (item == null) {
            item = chooseOffer(contact, points);
        }
        if (item == null) {
            return FAILED;
        }
        int result = buy(contact, item);
        showPurchases(contact);
        points = pointsOf(contact);
        if (points >= 0) {
            System.out.println("The member has " + points(points) + " points left.");
        }
        return result;
    }

    /** Finds the member, if the contact's id is not given, and makes the sale. */
    private int sellToMember(List<Operation> earlier) {
        try {
            String contact = given.get("--contact");
            return sell(contact == null ? findMember(given.get("--member")) : contact, earlier);
        } catch (PointShopException problem) { // The step that failed has printed it.
            return exitCode(problem);
        }
    }

    /**
     * Sells until standard input ends: one line with a sale, one line with its outcome. The library
     * resolves pending sales in the background, and the next sale shows them.
     */
    private int serve() throws IOException {
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            Map<?, ?> sale = (Map<?, ?>) Json.parse(line);
            List<Operation> earlier = showEarlierSales();
            Map<String, String> values = new HashMap<>(given);
            for (String name : new String[] {"contact", "item", "reference"}) {
                values.put("--" + name, (String) sale.get(name));
            }
            values.put("--wait", text(sale.get("waitMs")));
            int result = new Till(shop, values).sellToMember(earlier);
            String outcome = result == COMPLETED ? "completed" : result == DECLINED ? "declined"
                : result == PENDING ? "pending" : result == NOT_SENT ? "notSent" : "failed";
            System.out.println("{\"outcome\": \"" + outcome + "\"}");
        }
        return COMPLETED;
    }

    private int run() throws IOException {
        if (given.containsKey("--serve")) {
            return serve();
        }
        List<Operation> earlier = showEarlierSales();
        int result = sellToMember(earlier);
        resolveEarlierSales(earlier);
        return result;
    }

    // --- The program -----------------------------------------------------------------------------

    private static Map<String, String> readArguments(String[] arguments) {
        List<String> known = Arrays.asList("--url", "--key", "--ca", "--journal", "--contact", "--member", "--item",
            "--reference", "--wait", "--request-timeout", "--startup-jitter", "--shown");
        Map<String, String> given = new HashMap<>();
        for (int at = 0; at < arguments.length; at++) {
            String option = arguments[at];
            if (option.equals("--no-redeem") || option.equals("--serve")) {
                given.put(option, "");
            } else if (!known.contains(option) || ++at == arguments.length) {
                return null;
            } else {
                given.put(option, arguments[at]);
            }
        }
        boolean isComplete = given.containsKey("--url") && given.containsKey("--journal")
            && given.getOrDefault("--wait", "0").matches("[0-9]+")
            && given.getOrDefault("--request-timeout", "0").matches("[0-9]+")
            && given.getOrDefault("--startup-jitter", "0").matches("[0-9]+")
            && given.getOrDefault("--member", "=").contains("=")
            && (given.containsKey("--serve") || given.containsKey("--contact") != given.containsKey("--member"));
        return isComplete ? given : null;
    }

    private static PrintStream utf8(FileDescriptor to) throws Exception {
        return new PrintStream(new FileOutputStream(to), true, "UTF-8");
    }

    public static void main(String[] arguments) throws Exception {
        // The cashier reads each line at once and in order, in UTF-8, also through a pipe.
        System.setOut(utf8(FileDescriptor.out));
        System.setErr(utf8(FileDescriptor.err));
        Map<String, String> given = readArguments(arguments);
        if (given == null) {
            System.err.println("usage: till --url URL --key KEY --journal FILE --contact GUID | --member KEY=VALUE"
                + " [--ca FILE] [--item GUID] [--reference TEXT] [--wait MS] [--request-timeout MS] [--startup-jitter MS]"
                + " [--shown FILE] [--no-redeem] [--serve]");
            System.exit(USAGE);
        }
        Config config = new Config().baseUrl(given.get("--url")).userAgent("ExampleTill/1.0")
            // A relative path would be another journal when the program is started in another
            // folder.
            .journalPath(Paths.get(given.get("--journal")).toAbsolutePath().toString())
            .apiKey(given.get("--key")).caFile(given.get("--ca"));
        if (given.containsKey("--request-timeout")) {
            config.requestTimeoutMs(Long.parseLong(given.get("--request-timeout")));
        }
        if (given.containsKey("--startup-jitter")) {
            config.startupJitterMs(Long.parseLong(given.get("--startup-jitter")));
        }
        int result;
        // Pending purchases stay in the journal and are resolved after the next start.
        try (Client shop = Client.open(config)) {
            result = new Till(shop, given).run();
        } catch (PointShopException problem) {
            showProblem("cannot open the point shop", problem);
            result = FAILED;
        }
        System.exit(result);
    }
}
