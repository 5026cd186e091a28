// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import java.util.List;
import java.util.Map;

/** The problem object of a call that did not return EPS_OK. A value that is not known is
 *  null. */
public record Problem(
        /** A code: 0 or a negative number. */
        int code,
        /** The name of a code. */
        String name,
        /** The outcome: what is known about the points. */
        Outcome outcome,
        /** For people: the problem and the remedy. */
        String message,
        /** The HTTP status of the last response. */
        Long httpStatus,
        /** Engage's own error code. */
        String engageCode,
        /** The operation that the problem is about. */
        String operationId,
        /** Its purchase id, if it is a purchase. */
        String purchaseId,
        /** The requests made. */
        long attempts,
        /** The time to wait before another try, in ms. */
        Long retryAfterMs,
        /** The causes, outermost first. */
        List<String> cause,
        /** What the cashier reads, in the language of the configuration. */
        String forCashier,
        /** What the member is shown, in the language of the configuration. */
        String forMember,
        /** Only of a purchase or a redeem with the option submit: the operation. */
        Operation operation,
        /** The whole object, with the keys that are newer than this binding. */
        Map<String, Object> json) {
    Problem(Map<String, Object> json) {
        this(
            Json.code(json, "code"),
            Json.text(json, "name"),
            Outcome.named(Json.text(json, "outcome")),
            Json.text(json, "message"),
            Json.whole(json, "httpStatus"),
            Json.text(json, "engageCode"),
            Json.text(json, "operationId"),
            Json.text(json, "purchaseId"),
            Json.whole(json, "attempts"),
            Json.whole(json, "retryAfterMs"),
            Json.texts(json, "cause"),
            Json.text(json, "forCashier"),
            Json.text(json, "forMember"),
            Json.made(json, "operation", Operation::new),
            json);
    }

    @Override
    public String toString() {
        return Json.write(json);
    }
}
