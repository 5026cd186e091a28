// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import java.util.Map;

/** The result of eps_read_stats. The counters begin with the open. */
public record Stats(
        /** The version of the library. */
        String version,
        /** The reads made for a caller. */
        long reads,
        /** The attempts of purchases. */
        long purchasesSent,
        /** The attempts of redeems. */
        long redeemsSent,
        /** The status queries. */
        long statusQueries,
        /** The operations that became completed. */
        long completed,
        /** The operations that became declined. */
        long declined,
        /** The operations that became not sent. */
        long notSent,
        /** The pending operations in the journal; null without a journal. */
        Long pending,
        /** The final and unacknowledged operations in the journal; null without a journal. */
        Long unacknowledged,
        /** The whole object, with the keys that are newer than this binding. */
        Map<String, Object> json) {
    Stats(Map<String, Object> json) {
        this(
            Json.text(json, "version"),
            Json.whole(json, "reads"),
            Json.whole(json, "purchasesSent"),
            Json.whole(json, "redeemsSent"),
            Json.whole(json, "statusQueries"),
            Json.whole(json, "completed"),
            Json.whole(json, "declined"),
            Json.whole(json, "notSent"),
            Json.whole(json, "pending"),
            Json.whole(json, "unacknowledged"),
            json);
    }

    @Override
    public String toString() {
        return Json.write(json);
    }
}
