package engage.pointshop;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The common part of {@link DeclinedException}, {@link PendingException} and {@link
 * NotSentException}. Catch those three, because each needs another action.
 */
public abstract class PointShopException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final String json;
    private final Action action;

    PointShopException(Map<String, Object> problem, Action action) {
        super(problem.get("name") + " (" + problem.get("code") + "): " + problem.get("message"));
        this.json = Json.write(problem);
        this.action = action;
    }

    /** The problem object. */
    @SuppressWarnings("unchecked")
    public final Problem problem() {
        return new Problem((Map<String, Object>) Json.parse(json));
    }

    /** The code, one of {@link Code} or a newer one. */
    public final int code() {
        return problem().code();
    }

    /** Who acts. The member is informed only if it is TELL_MEMBER. */
    public final Action action() {
        return action;
    }

    /** Returns the exception of a code. A call without a buffer has no problem object. */
    @SuppressWarnings("unchecked")
    static PointShopException of(Native library, int code, String json) {
        Outcome outcome = Outcome.of(library.eps_outcome(code));
        Action action = Action.named(Library.text(library.eps_code_action(code)));
        Map<String, Object> problem = json.isEmpty()
            ? problemOf(library, code, outcome, action)
            : (Map<String, Object>) Json.parse(json);
        switch (outcome) {
            case DECLINED: return new DeclinedException(problem, action);
            case NOT_SENT: return new NotSentException(problem, action);
            default: return new PendingException(problem, action);
        }
    }

    /** Returns the problem object of a code for which the library gave none. */
    private static Map<String, Object> problemOf(Native library, int code, Outcome outcome, Action action) {
        Map<String, Object> problem = new LinkedHashMap<>();
        problem.put("code", (long) code);
        problem.put("name", Library.text(library.eps_code_name(code)));
        problem.put("outcome", outcome == Outcome.DECLINED ? "declined" : outcome == Outcome.NOT_SENT ? "notSent" : "pending");
        problem.put("message", Library.text(library.eps_code_meaning(code)));
        for (String unknown : new String[] {"httpStatus", "engageCode", "operationId", "purchaseId", "retryAfterMs"}) {
            problem.put(unknown, null);
        }
        problem.put("attempts", 0L);
        problem.put("cause", new ArrayList<Object>());
        if (outcome == Outcome.PENDING) {
            problem.put("forCashier", "Not clear yet. Finish the sale, and call support.");
            problem.put("forMember", "Your request takes a little longer. You will see it in your points.");
        } else if (action == Action.RETRY) {
            problem.put("forCashier", "This was interrupted. Try again.");
            problem.put("forMember", "This was interrupted. We will try again.");
        } else {
            problem.put("forCashier", "Not available now. Call support.");
            problem.put("forMember", "Points and rewards are not available right now.");
        }
        return problem;
    }
}
