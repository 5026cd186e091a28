package engage.pointshop;

import java.util.Map;

/**
 * The outcome is not known yet, and the library resolves it. Never
 * treat it as failed.
 */
public final class PendingException extends PointShopException {
    private static final long serialVersionUID = 1;

    PendingException(Map<String, Object> problem, Action action) {
        super(problem, action);
    }
}
