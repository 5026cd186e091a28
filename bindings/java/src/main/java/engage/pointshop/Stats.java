// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import java.util.Map;

/** The result of eps_read_stats. The counters begin with the open. */
public final class Stats {
    private final Map<String, Object> json;

    Stats(Map<String, Object> json) {
        this.json = json;
    }

    /** The version of the library. */
    public String version() {
        return Json.text(json, "version");
    }

    /** The reads made for a caller. */
    public long reads() {
        return Json.whole(json, "reads");
    }

    /** The attempts of purchases. */
    public long purchasesSent() {
        return Json.whole(json, "purchasesSent");
    }

    /** The attempts of redeems. */
    public long redeemsSent() {
        return Json.whole(json, "redeemsSent");
    }

    /** The status queries. */
    public long statusQueries() {
        return Json.whole(json, "statusQueries");
    }

    /** The operations that became completed. */
    public long completed() {
        return Json.whole(json, "completed");
    }

    /** The operations that became declined. */
    public long declined() {
        return Json.whole(json, "declined");
    }

    /** The operations that became not sent. */
    public long notSent() {
        return Json.whole(json, "notSent");
    }

    /** The pending operations in the journal; null without a journal. */
    public Long pending() {
        return Json.whole(json, "pending");
    }

    /** The final and unacknowledged operations in the journal; null without a journal. */
    public Long unacknowledged() {
        return Json.whole(json, "unacknowledged");
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
