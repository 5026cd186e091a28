// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import java.util.Map;

/** One check of eps_check. */
public record HealthCheck(
        /** The name. A newer version may add names. */
        String name,
        /** A check that was not done in time is unknown. */
        String status,
        /** For people: what was found. */
        String message,
        /** For people: who does what. */
        String action,
        /** Since when, where that is known. */
        Long sinceMs,
        /** The whole object, with the keys that are newer than this binding. */
        Map<String, Object> json) {
    HealthCheck(Map<String, Object> json) {
        this(
            Json.text(json, "name"),
            Json.text(json, "status"),
            Json.text(json, "message"),
            Json.text(json, "action"),
            Json.whole(json, "sinceMs"),
            json);
    }

    @Override
    public String toString() {
        return Json.write(json);
    }
}
