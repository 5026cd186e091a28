// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import java.util.List;
import java.util.Map;

/** The result of eps_find_reward. */
public record FoundReward(
        /** How the reward was found. */
        String certainty,
        /** For eps_redeem_reward; null unless certain. */
        String assignmentId,
        /** Engage's object, unchanged. */
        Map<String, Object> reward,
        Receipt receipt,
        /** Engage's objects, from which a person chooses. */
        List<Map<String, Object>> candidates,
        /** The whole object, with the keys that are newer than this binding. */
        Map<String, Object> json) {
    FoundReward(Map<String, Object> json) {
        this(
            Json.text(json, "certainty"),
            Json.text(json, "assignmentId"),
            Json.object(json, "reward"),
            Json.made(json, "receipt", Receipt::new),
            Json.list(json, "candidates", each -> each),
            json);
    }

    @Override
    public String toString() {
        return Json.write(json);
    }
}
