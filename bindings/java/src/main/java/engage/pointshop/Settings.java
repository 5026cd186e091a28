package engage.pointshop;

import java.util.LinkedHashMap;
import java.util.Map;

/** A JSON object that is given to the library. A key whose value is null is left out. */
public abstract class Settings<T extends Settings<T>> {
    private final Map<String, Object> values = new LinkedHashMap<>();

    Settings() {}

    /** Sets a key that is newer than this binding. */
    @SuppressWarnings("unchecked")
    public T set(String key, Object value) {
        values.put(key, value);
        return (T) this;
    }

    /** Returns the value of a key, or null. */
    public Object get(String key) {
        return values.get(key);
    }

    String json() {
        Map<String, Object> given = new LinkedHashMap<>(values);
        given.values().removeIf(value -> value == null);
        return Json.write(given);
    }

    void copyInto(Settings<?> other) {
        other.values.putAll(values);
    }
}
