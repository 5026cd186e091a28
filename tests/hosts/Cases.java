// The cases in Java: see cases.c.

import engage.pointshop.Client;
import engage.pointshop.Code;
import engage.pointshop.Config;
import engage.pointshop.DeclinedException;
import engage.pointshop.Json;
import engage.pointshop.NotSentException;
import engage.pointshop.Operation;
import engage.pointshop.Options;
import engage.pointshop.PointShopException;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

@SuppressWarnings("unchecked")
final class Cases {
    private static Object operations(List<Operation> operations) {
        return Collections.singletonMap("operations", operations.stream().map(Operation::json).collect(Collectors.toList()));
    }

    /** Makes the call of a case or of a step before it. */
    private static Object make(Client shop, Map<String, Object> step) {
        List<String> arguments = (List<String>) step.get("arguments");
        String first = arguments.isEmpty() ? null : arguments.get(0);
        String second = arguments.size() < 2 ? null : arguments.get(1);
        Options options = new Options();
        ((Map<String, Object>) step.getOrDefault("options", Collections.emptyMap())).forEach(options::set);
        switch ((String) step.get("call")) {
            case "find_contact": return shop.findContact(first, second, options);
            case "list_points": return shop.listPoints(first, options);
            case "list_items": return shop.listItems(first, options);
            case "purchase": return shop.purchase(first, second, options).json();
            case "list_purchases": return shop.listPurchases(first, options);
            case "list_rewards": return shop.listRewards(first, options);
            case "find_reward": return shop.findReward(first, options).json();
            case "redeem_reward": return shop.redeemReward(first, second, options).json();
            case "list_unacknowledged": return operations(shop.listUnacknowledged(options));
            case "list_operations": return shop.listOperations(options).json();
            case "get_operation": return shop.getOperation(first).json();
            case "resolve_pending": return shop.resolvePending(options).json();
            case "acknowledge": return shop.acknowledge(first).json();
            case "resolve_review": return shop.resolveReview(first, second, options).json();
            case "acknowledge_reference": return operations(shop.acknowledgeReference(first));
            case "backup_journal": return shop.backupJournal(first).json();
            case "check": return shop.check(options).json();
            case "read_metrics": return shop.readMetrics();
            case "read_stats": return shop.readStats().json();
            case "code_action": return camel(Client.actionOf(Integer.parseInt(first)).name());
            case "code_meaning": return Client.meaningOf(Integer.parseInt(first));
            case "json_get": return Client.jsonGet(first, second);
            case "json_quote": return Json.parse(Client.jsonQuote(first));
            default: throw new IllegalArgumentException("no such call: " + step.get("call"));
        }
    }

    /** Returns tellMember for TELL_MEMBER. */
    private static String camel(String name) {
        StringBuilder text = new StringBuilder();
        for (String part : name.toLowerCase(java.util.Locale.ROOT).split("_")) {
            text.append(text.length() == 0 ? part : Character.toUpperCase(part.charAt(0)) + part.substring(1));
        }
        return text.toString();
    }

    private static String name(int code) throws IllegalAccessException {
        for (Field field : Code.class.getFields()) {
            if (field.getInt(null) == code) {
                return "EPS_" + field.getName();
            }
        }
        return "unknown " + code;
    }

    public static void main(String[] arguments) throws Exception {
        System.setOut(new PrintStream(new FileOutputStream(FileDescriptor.out), true, "UTF-8"));
        String text = new String(Files.readAllBytes(Paths.get(arguments[0])), "UTF-8");
        List<Map<String, Object>> cases = (List<Map<String, Object>>) Json.parse(text);
        for (int number = 0; number < cases.size(); number++) {
            Map<String, Object> step = cases.get(number);
            Config config = new Config().baseUrl(arguments[1]).apiKey("case-" + number).userAgent("Cases/1").journal("memory");
            int code = Code.OK;
            String outcome = "completed";
            Object result;
            try (Client shop = Client.open(config)) {
                for (Map<String, Object> before : (List<Map<String, Object>>) step.getOrDefault("before", Collections.emptyList())) {
                    try {
                        make(shop, before);
                    } catch (PointShopException effect) {
                        // Only its effect counts. The expected result shows it.
                    }
                }
                try {
                    result = make(shop, step);
                } catch (PointShopException problem) {
                    code = problem.code();
                    outcome = problem instanceof DeclinedException ? "declined" : problem instanceof NotSentException ? "notSent" : "pending";
                    result = problem.problem().json();
                }
            }
            System.out.println(number + "\t" + name(code) + "\t" + outcome + "\t" + Json.write(result));
        }
    }
}
