package engage.pointshop;

import java.util.Map;

/** Nothing that spends has left the till, or a read failed. */
public final class NotSentException extends PointShopException {
    private static final long serialVersionUID = 1;

    NotSentException(Map<String, Object> problem, Action action) {
        super(problem, action);
    }
}
