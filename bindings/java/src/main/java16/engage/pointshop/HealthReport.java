// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import java.util.List;
import java.util.Map;

/** The result of eps_check. */
public record HealthReport(
        /** The worst status. */
        String status,
        /** The checks. */
        List<HealthCheck> checks,
        /** The points of the pending purchases as far as they are known; null without a
         *  journal. */
        Long pendingPoints,
        /** The whole object, with the keys that are newer than this binding. */
        Map<String, Object> json) {
    HealthReport(Map<String, Object> json) {
        this(
            Json.text(json, "status"),
            Json.list(json, "checks", HealthCheck::new),
            Json.whole(json, "pendingPoints"),
            json);
    }

    @Override
    public String toString() {
        return Json.write(json);
    }
}
