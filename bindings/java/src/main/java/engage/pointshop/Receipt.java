// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import java.util.Map;

/** The texts of a reward for a receipt and a screen. A value that is not known is null. */
public final class Receipt {
    private final Map<String, Object> json;

    Receipt(Map<String, Object> json) {
        this.json = json;
    }

    public String title() {
        return Json.text(json, "title");
    }

    public String description() {
        return Json.text(json, "description");
    }

    /** The text of the barcode. */
    public String barcode() {
        return Json.text(json, "barcode");
    }

    /** In Engage's format. */
    public String expiresOn() {
        return Json.text(json, "expiresOn");
    }

    /** For the cashier. */
    public String instruction() {
        return Json.text(json, "instruction");
    }

    /** The type of the value. */
    public String valueType() {
        return Json.text(json, "valueType");
    }

    /** The value, in Engage's format. */
    public Object value() {
        return json.get("value");
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
