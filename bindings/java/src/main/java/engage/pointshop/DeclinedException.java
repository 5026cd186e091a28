package engage.pointshop;

import java.util.Map;

/** Engage declined it definitely, and nothing was deducted. */
public final class DeclinedException extends PointShopException {
    private static final long serialVersionUID = 1;

    DeclinedException(Map<String, Object> problem, Action action) {
        super(problem, action);
    }
}
