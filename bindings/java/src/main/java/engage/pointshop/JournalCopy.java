// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import java.util.Map;

/** The result of eps_backup_journal. */
public final class JournalCopy {
    private final Map<String, Object> json;

    JournalCopy(Map<String, Object> json) {
        this.json = json;
    }

    /** The path of the copy, as it was given. */
    public String path() {
        return Json.text(json, "path");
    }

    /** The size of the copy. */
    public long bytes() {
        return Json.whole(json, "bytes");
    }

    /** The operations in the copy. */
    public long operations() {
        return Json.whole(json, "operations");
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
