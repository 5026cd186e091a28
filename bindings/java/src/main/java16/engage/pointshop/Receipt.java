// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import java.util.Map;

/** The texts of a reward for a receipt and a screen. A value that is not known is null. */
public record Receipt(
        String title,
        String description,
        /** The text of the barcode. */
        String barcode,
        /** In Engage's format. */
        String expiresOn,
        /** For the cashier. */
        String instruction,
        /** The type of the value. */
        String valueType,
        /** The value, in Engage's format. */
        Object value,
        /** The whole object, with the keys that are newer than this binding. */
        Map<String, Object> json) {
    Receipt(Map<String, Object> json) {
        this(
            Json.text(json, "title"),
            Json.text(json, "description"),
            Json.text(json, "barcode"),
            Json.text(json, "expiresOn"),
            Json.text(json, "instruction"),
            Json.text(json, "valueType"),
            json.get("value"),
            json);
    }

    @Override
    public String toString() {
        return Json.write(json);
    }
}
