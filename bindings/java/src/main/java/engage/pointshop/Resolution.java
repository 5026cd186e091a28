// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import java.util.Map;

/** The result of eps_resolve_pending. */
public final class Resolution {
    private final Map<String, Object> json;

    Resolution(Map<String, Object> json) {
        this.json = json;
    }

    /** The operations whose outcome became known. */
    public long resolved() {
        return Json.whole(json, "resolved");
    }

    /** The operations that are still pending. */
    public long pending() {
        return Json.whole(json, "pending");
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
