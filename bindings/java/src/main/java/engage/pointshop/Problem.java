// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import java.util.List;
import java.util.Map;

/** The problem object of a call that did not return EPS_OK. A value that is not known is
 *  null. */
public final class Problem {
    private final Map<String, Object> json;

    Problem(Map<String, Object> json) {
        this.json = json;
    }

    /** A code: 0 or a negative number. */
    public int code() {
        return Json.code(json, "code");
    }

    /** The name of a code. */
    public String name() {
        return Json.text(json, "name");
    }

    /** The outcome: what is known about the points. */
    public Outcome outcome() {
        return Outcome.named(Json.text(json, "outcome"));
    }

    /** For people: the problem and the remedy. */
    public String message() {
        return Json.text(json, "message");
    }

    /** The HTTP status of the last response. */
    public Long httpStatus() {
        return Json.whole(json, "httpStatus");
    }

    /** Engage's own error code. */
    public String engageCode() {
        return Json.text(json, "engageCode");
    }

    /** The operation that the problem is about. */
    public String operationId() {
        return Json.text(json, "operationId");
    }

    /** Its purchase id, if it is a purchase. */
    public String purchaseId() {
        return Json.text(json, "purchaseId");
    }

    /** The requests made. */
    public long attempts() {
        return Json.whole(json, "attempts");
    }

    /** The time to wait before another try, in ms. */
    public Long retryAfterMs() {
        return Json.whole(json, "retryAfterMs");
    }

    /** The causes, outermost first. */
    public List<String> cause() {
        return Json.texts(json, "cause");
    }

    /** What the cashier reads, in the language of the configuration. */
    public String forCashier() {
        return Json.text(json, "forCashier");
    }

    /** What the member is shown, in the language of the configuration. */
    public String forMember() {
        return Json.text(json, "forMember");
    }

    /** Only of a purchase or a redeem with the option submit: the operation. */
    public Operation operation() {
        return Json.made(json, "operation", Operation::new);
    }

    /** The whole object, with the keys that are newer than this binding. */
    public Map<String, Object> json() {
        return json;
    }

    @Override
    public String toString() {
        return Json.write(json);
    }
}
