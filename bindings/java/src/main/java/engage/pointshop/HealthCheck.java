// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import java.util.Map;

/** One check of eps_check. */
public final class HealthCheck {
    private final Map<String, Object> json;

    HealthCheck(Map<String, Object> json) {
        this.json = json;
    }

    /** The name. A newer version may add names. */
    public String name() {
        return Json.text(json, "name");
    }

    /** A check that was not done in time is unknown. */
    public String status() {
        return Json.text(json, "status");
    }

    /** For people: what was found. */
    public String message() {
        return Json.text(json, "message");
    }

    /** For people: who does what. */
    public String action() {
        return Json.text(json, "action");
    }

    /** Since when, where that is known. */
    public Long sinceMs() {
        return Json.whole(json, "sinceMs");
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
