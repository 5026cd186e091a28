// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import java.util.List;
import java.util.Map;

/** The result of eps_list_operations. */
public record OperationPage(
        /** Oldest first; a page may be empty. */
        List<Operation> operations,
        /** The option "after" of the next call; null behind the last page. */
        String next,
        /** The whole object, with the keys that are newer than this binding. */
        Map<String, Object> json) {
    OperationPage(Map<String, Object> json) {
        this(
            Json.list(json, "operations", Operation::new),
            Json.text(json, "next"),
            json);
    }

    @Override
    public String toString() {
        return Json.write(json);
    }
}
