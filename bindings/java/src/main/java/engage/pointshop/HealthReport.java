// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import java.util.List;
import java.util.Map;

/** The result of eps_check. */
public final class HealthReport {
    private final Map<String, Object> json;

    HealthReport(Map<String, Object> json) {
        this.json = json;
    }

    /** The worst status. */
    public String status() {
        return Json.text(json, "status");
    }

    /** The checks. */
    public List<HealthCheck> checks() {
        return Json.list(json, "checks", HealthCheck::new);
    }

    /** The points of the pending purchases as far as they are known; null without a journal. */
    public Long pendingPoints() {
        return Json.whole(json, "pendingPoints");
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
