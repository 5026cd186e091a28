package engage.pointshop;

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

    /**
     * Returns the exception of a code. The problem object may be absent after an internal
     * error.
     */
    @SuppressWarnings("unchecked")
    static PointShopException of(Native library, int code, String json) {
        Map<String, Object> problem = new LinkedHashMap<>();
        problem.put("code", (long) code);
        problem.put("name", Library.text(library.eps_code_name(code)));
        problem.put("message", "The library gave no details.");
        problem.put("attempts", 0L);
        problem.put("cause", new java.util.ArrayList<Object>());
        if (!json.isEmpty()) {
            problem.putAll((Map<String, Object>) Json.parse(json));
        }
        Action action = Action.named(Library.text(library.eps_code_action(code)));
        switch (Outcome.of(library.eps_outcome(code))) {
            case DECLINED: return new DeclinedException(problem, action);
            case NOT_SENT: return new NotSentException(problem, action);
            default: return new PendingException(problem, action);
        }
    }
}
