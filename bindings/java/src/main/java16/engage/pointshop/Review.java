// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import java.util.Map;

/** The decision of a person about an operation in manual review. */
public record Review(
        /** The decision. */
        String resolution,
        /** The person who decided. */
        String by,
        /** The reason. */
        String note,
        /** The time of the decision, in ms since 1970 UTC. */
        long atMs,
        /** The whole object, with the keys that are newer than this binding. */
        Map<String, Object> json) {
    Review(Map<String, Object> json) {
        this(
            Json.text(json, "resolution"),
            Json.text(json, "by"),
            Json.text(json, "note"),
            Json.whole(json, "atMs"),
            json);
    }

    @Override
    public String toString() {
        return Json.write(json);
    }
}
