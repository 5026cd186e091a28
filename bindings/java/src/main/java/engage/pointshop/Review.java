// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import java.util.Map;

/** The decision of a person about an operation in manual review. */
public final class Review {
    private final Map<String, Object> json;

    Review(Map<String, Object> json) {
        this.json = json;
    }

    /** The decision. */
    public String resolution() {
        return Json.text(json, "resolution");
    }

    /** The person who decided. */
    public String by() {
        return Json.text(json, "by");
    }

    /** The reason. */
    public String note() {
        return Json.text(json, "note");
    }

    /** The time of the decision, in ms since 1970 UTC. */
    public long atMs() {
        return Json.whole(json, "atMs");
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
