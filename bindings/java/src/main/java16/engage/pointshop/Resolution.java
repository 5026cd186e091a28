// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import java.util.Map;

/** The result of eps_resolve_pending. */
public record Resolution(
        /** The operations whose outcome became known. */
        long resolved,
        /** The operations that are still pending. */
        long pending,
        /** The whole object, with the keys that are newer than this binding. */
        Map<String, Object> json) {
    Resolution(Map<String, Object> json) {
        this(
            Json.whole(json, "resolved"),
            Json.whole(json, "pending"),
            json);
    }

    @Override
    public String toString() {
        return Json.write(json);
    }
}
