// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import java.util.Map;

/** The result of eps_backup_journal. */
public record JournalCopy(
        /** The path of the copy, as it was given. */
        String path,
        /** The size of the copy. */
        long bytes,
        /** The operations in the copy. */
        long operations,
        /** The whole object, with the keys that are newer than this binding. */
        Map<String, Object> json) {
    JournalCopy(Map<String, Object> json) {
        this(
            Json.text(json, "path"),
            Json.whole(json, "bytes"),
            Json.whole(json, "operations"),
            json);
    }

    @Override
    public String toString() {
        return Json.write(json);
    }
}
