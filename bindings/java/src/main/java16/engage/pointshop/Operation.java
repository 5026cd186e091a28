// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import java.util.List;
import java.util.Map;

/** The operation object: one purchase or redeem, as the journal holds it. A value that is not
 *  known, or that belongs to the other kind, is null. */
public record Operation(
        /** For a purchase it is also the purchase id. */
        String operationId,
        /** The kind of operation. */
        String kind,
        /** The outcome: what is known about the points. */
        Outcome outcome,
        /** The state in the journal. */
        String state,
        /** The code of the outcome. */
        int code,
        /** The name of a code. */
        String name,
        /** Who acts on a code. */
        Action action,
        /** Null for a redeem. */
        String purchaseId,
        /** The member; null if no contact was given. */
        String contactId,
        /** The bought item; null for a redeem. */
        String itemId,
        /** The reward that is redeemed, or that the purchase gave once that is certain. */
        String assignmentId,
        /** The channel of a redeem. */
        String channel,
        /** The POS's own name for the sale. */
        String reference,
        /** The requests made. */
        long attempts,
        /** The HTTP status of the last response. */
        Long httpStatus,
        /** Engage's own error code. */
        String engageCode,
        /** Texts about the last failure, outermost first. */
        List<String> cause,
        /** What the cashier reads, in the language of the configuration. */
        String forCashier,
        /** What the member is shown, in the language of the configuration. */
        String forMember,
        /** Engage's own ids of the requests. */
        List<String> requestIds,
        /** Whether a manual review is needed. */
        boolean needsReview,
        /** The decision of a person. */
        Review review,
        /** The time at which the intent was recorded. */
        long recordedAtMs,
        /** The time at which the outcome became known. */
        Long resolvedAtMs,
        /** The time at which the POS acknowledged the outcome. */
        Long acknowledgedAtMs,
        /** The time by which a pending operation has an outcome at the latest, where that is
         *  known. */
        Long expectedByMs,
        /** The last status query. */
        Long lastQueryAtMs,
        /** The next status query of a pending operation. */
        Long nextQueryAtMs,
        /** The code of the last attempt or status query. */
        Integer lastCode,
        /** The code with which the operation became pending. */
        Integer firstPendingCode,
        /** The status queries that no caller waited for. */
        long retryCount,
        /** Whose operation it is. */
        String tenant,
        /** Whether it belongs to another tenant than the client's. */
        boolean foreign,
        /** The version of the library that wrote the record last. */
        String writerVersion,
        /** Engage's purchase object, unchanged, once completed. */
        Map<String, Object> purchase,
        /** Engage's reward object of a redeem, unchanged, if Engage returned it. */
        Map<String, Object> reward,
        /** Only in a purchaseResult: whether the operation existed before the call. */
        Boolean existing,
        /** The whole object, with the keys that are newer than this binding. */
        Map<String, Object> json) {
    Operation(Map<String, Object> json) {
        this(
            Json.text(json, "operationId"),
            Json.text(json, "kind"),
            Outcome.named(Json.text(json, "outcome")),
            Json.text(json, "state"),
            Json.code(json, "code"),
            Json.text(json, "name"),
            Action.named(Json.text(json, "action")),
            Json.text(json, "purchaseId"),
            Json.text(json, "contactId"),
            Json.text(json, "itemId"),
            Json.text(json, "assignmentId"),
            Json.text(json, "channel"),
            Json.text(json, "reference"),
            Json.whole(json, "attempts"),
            Json.whole(json, "httpStatus"),
            Json.text(json, "engageCode"),
            Json.texts(json, "cause"),
            Json.text(json, "forCashier"),
            Json.text(json, "forMember"),
            Json.texts(json, "requestIds"),
            Json.flag(json, "needsReview"),
            Json.made(json, "review", Review::new),
            Json.whole(json, "recordedAtMs"),
            Json.whole(json, "resolvedAtMs"),
            Json.whole(json, "acknowledgedAtMs"),
            Json.whole(json, "expectedByMs"),
            Json.whole(json, "lastQueryAtMs"),
            Json.whole(json, "nextQueryAtMs"),
            Json.code(json, "lastCode"),
            Json.code(json, "firstPendingCode"),
            Json.whole(json, "retryCount"),
            Json.text(json, "tenant"),
            Json.flag(json, "foreign"),
            Json.text(json, "writerVersion"),
            Json.object(json, "purchase"),
            Json.object(json, "reward"),
            Json.flag(json, "existing"),
            json);
    }

    @Override
    public String toString() {
        return Json.write(json);
    }
}
