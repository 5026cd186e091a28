// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import java.util.List;
import java.util.Map;

/** The operation object: one purchase or redeem, as the journal holds it. A value that is not
 *  known, or that belongs to the other kind, is null. */
public final class Operation {
    private final Map<String, Object> json;

    Operation(Map<String, Object> json) {
        this.json = json;
    }

    /** For a purchase it is also the purchase id. */
    public String operationId() {
        return Json.text(json, "operationId");
    }

    /** The kind of operation. */
    public String kind() {
        return Json.text(json, "kind");
    }

    /** The outcome: what is known about the points. */
    public Outcome outcome() {
        return Outcome.named(Json.text(json, "outcome"));
    }

    /** The state in the journal. */
    public String state() {
        return Json.text(json, "state");
    }

    /** The code of the outcome. */
    public int code() {
        return Json.code(json, "code");
    }

    /** The name of a code. */
    public String name() {
        return Json.text(json, "name");
    }

    /** Who acts on a code. */
    public Action action() {
        return Action.named(Json.text(json, "action"));
    }

    /** Null for a redeem. */
    public String purchaseId() {
        return Json.text(json, "purchaseId");
    }

    /** The member; null if no contact was given. */
    public String contactId() {
        return Json.text(json, "contactId");
    }

    /** The bought item; null for a redeem. */
    public String itemId() {
        return Json.text(json, "itemId");
    }

    /** The reward that is redeemed, or that the purchase gave once that is certain. */
    public String assignmentId() {
        return Json.text(json, "assignmentId");
    }

    /** The channel of a redeem. */
    public String channel() {
        return Json.text(json, "channel");
    }

    /** The POS's own name for the sale. */
    public String reference() {
        return Json.text(json, "reference");
    }

    /** The requests made. */
    public long attempts() {
        return Json.whole(json, "attempts");
    }

    /** The HTTP status of the last response. */
    public Long httpStatus() {
        return Json.whole(json, "httpStatus");
    }

    /** Engage's own error code. */
    public String engageCode() {
        return Json.text(json, "engageCode");
    }

    /** Texts about the last failure, outermost first. */
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

    /** Engage's own ids of the requests. */
    public List<String> requestIds() {
        return Json.texts(json, "requestIds");
    }

    /** Whether a manual review is needed. */
    public boolean needsReview() {
        return Json.flag(json, "needsReview");
    }

    /** The decision of a person. */
    public Review review() {
        return Json.made(json, "review", Review::new);
    }

    /** The time at which the intent was recorded. */
    public long recordedAtMs() {
        return Json.whole(json, "recordedAtMs");
    }

    /** The time at which the outcome became known. */
    public Long resolvedAtMs() {
        return Json.whole(json, "resolvedAtMs");
    }

    /** The time at which the POS acknowledged the outcome. */
    public Long acknowledgedAtMs() {
        return Json.whole(json, "acknowledgedAtMs");
    }

    /** The time by which a pending operation has an outcome at the latest, where that is
     *  known. */
    public Long expectedByMs() {
        return Json.whole(json, "expectedByMs");
    }

    /** The last status query. */
    public Long lastQueryAtMs() {
        return Json.whole(json, "lastQueryAtMs");
    }

    /** The next status query of a pending operation. */
    public Long nextQueryAtMs() {
        return Json.whole(json, "nextQueryAtMs");
    }

    /** The code of the last attempt or status query. */
    public Integer lastCode() {
        return Json.code(json, "lastCode");
    }

    /** The code with which the operation became pending. */
    public Integer firstPendingCode() {
        return Json.code(json, "firstPendingCode");
    }

    /** The status queries that no caller waited for. */
    public long retryCount() {
        return Json.whole(json, "retryCount");
    }

    /** Whose operation it is. */
    public String tenant() {
        return Json.text(json, "tenant");
    }

    /** Whether it belongs to another tenant than the client's. */
    public boolean foreign() {
        return Json.flag(json, "foreign");
    }

    /** The version of the library that wrote the record last. */
    public String writerVersion() {
        return Json.text(json, "writerVersion");
    }

    /** Engage's purchase object, unchanged, once completed. */
    public Map<String, Object> purchase() {
        return Json.object(json, "purchase");
    }

    /** Engage's reward object of a redeem, unchanged, if Engage returned it. */
    public Map<String, Object> reward() {
        return Json.object(json, "reward");
    }

    /** Only in a purchaseResult: whether the operation existed before the call. */
    public Boolean existing() {
        return Json.flag(json, "existing");
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
