// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import java.util.List;
import java.util.Map;

/** The result of eps_find_reward. */
public final class FoundReward {
    private final Map<String, Object> json;

    FoundReward(Map<String, Object> json) {
        this.json = json;
    }

    /** How the reward was found. */
    public String certainty() {
        return Json.text(json, "certainty");
    }

    /** For eps_redeem_reward; null unless certain. */
    public String assignmentId() {
        return Json.text(json, "assignmentId");
    }

    /** Engage's object, unchanged. */
    public Map<String, Object> reward() {
        return Json.object(json, "reward");
    }

    public Receipt receipt() {
        return Json.made(json, "receipt", Receipt::new);
    }

    /** Engage's objects, from which a person chooses. */
    public List<Map<String, Object>> candidates() {
        return Json.list(json, "candidates", each -> each);
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
