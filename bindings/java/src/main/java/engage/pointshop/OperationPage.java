// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import java.util.List;
import java.util.Map;

/** The result of eps_list_operations. */
public final class OperationPage {
    private final Map<String, Object> json;

    OperationPage(Map<String, Object> json) {
        this.json = json;
    }

    /** Oldest first; a page may be empty. */
    public List<Operation> operations() {
        return Json.list(json, "operations", Operation::new);
    }

    /** The option "after" of the next call; null behind the last page. */
    public String next() {
        return Json.text(json, "next");
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
