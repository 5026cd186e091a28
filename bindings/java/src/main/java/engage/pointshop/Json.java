package engage.pointshop;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Reads and writes JSON: objects are maps, arrays are lists, whole numbers are Long, other numbers
 * are BigDecimal. The binding needs no library for it.
 */
public final class Json {
    private static final int MAX_DEPTH = 512;

    private final String text;
    private int at;
    private int depth;

    private Json(String text) {
        this.text = text;
    }

    /** Reads a JSON text. Throws IllegalArgumentException if it is none. */
    public static Object parse(String text) {
        Json json = new Json(text);
        Object value = json.value();
        json.space();
        if (json.at != text.length()) {
            throw json.wrong("the end");
        }
        return value;
    }

    /** Writes maps, iterables, arrays of long, texts, numbers, booleans and null. */
    public static String write(Object value) {
        StringBuilder into = new StringBuilder();
        write(value, into);
        return into.toString();
    }

    private static void write(Object value, StringBuilder into) {
        if (value == null || value instanceof Number || value instanceof Boolean) {
            into.append(value instanceof BigDecimal ? ((BigDecimal) value).toPlainString() : value);
        } else if (value instanceof Map) {
            String before = "{";
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                into.append(before);
                quote(String.valueOf(entry.getKey()), into);
                into.append(':');
                write(entry.getValue(), into);
                before = ",";
            }
            into.append(before.equals("{") ? "{}" : "}");
        } else if (value instanceof Iterable) {
            String before = "[";
            for (Object element : (Iterable<?>) value) {
                into.append(before);
                write(element, into);
                before = ",";
            }
            into.append(before.equals("[") ? "[]" : "]");
        } else if (value instanceof long[]) {
            into.append(java.util.Arrays.toString((long[]) value));
        } else {
            quote(value.toString(), into);
        }
    }

    private static void quote(String text, StringBuilder into) {
        into.append('"');
        for (int at = 0; at < text.length(); at++) {
            char letter = text.charAt(at);
            if (letter == '"' || letter == '\\') {
                into.append('\\').append(letter);
            } else if (letter < ' ') {
                into.append(String.format((java.util.Locale) null, "\\u%04x", (int) letter));
            } else {
                into.append(letter);
            }
        }
        into.append('"');
    }

    private Object value() {
        space();
        if (at == text.length() || ++depth > MAX_DEPTH) {
            throw wrong("a value");
        }
        Object value;
        switch (text.charAt(at)) {
            case '{': value = members(); break;
            case '[': value = elements(); break;
            case '"': value = string(); break;
            case 't': value = word("true", true); break;
            case 'f': value = word("false", false); break;
            case 'n': value = word("null", null); break;
            default: value = number(); break;
        }
        depth--;
        return value;
    }

    private Map<String, Object> members() {
        Map<String, Object> members = new LinkedHashMap<>();
        at++;
        space();
        if (skip('}')) {
            return members;
        }
        do {
            space();
            String key = string();
            space();
            expect(':');
            members.put(key, value());
            space();
        } while (skip(','));
        expect('}');
        return members;
    }

    private List<Object> elements() {
        List<Object> elements = new ArrayList<>();
        at++;
        space();
        if (skip(']')) {
            return elements;
        }
        do {
            elements.add(value());
            space();
        } while (skip(','));
        expect(']');
        return elements;
    }

    private String string() {
        expect('"');
        StringBuilder string = new StringBuilder();
        while (at < text.length()) {
            char letter = text.charAt(at++);
            if (letter == '"') {
                return string.toString();
            }
            string.append(letter == '\\' ? escaped() : letter);
        }
        throw wrong("a quote");
    }

    private char escaped() {
        int kind = at < text.length() ? "\"\\/bfnrtu".indexOf(text.charAt(at++)) : -1;
        if (kind < 0) {
            throw wrong("an escape");
        }
        if (kind < 8) {
            return "\"\\/\b\f\n\r\t".charAt(kind);
        }
        try {
            at += 4;
            return (char) Integer.parseInt(text.substring(at - 4, at), 16);
        } catch (IndexOutOfBoundsException | NumberFormatException none) {
            throw wrong("four hexadecimal digits");
        }
    }

    private Object number() {
        int from = at;
        while (at < text.length() && "+-.0123456789eE".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
        String number = text.substring(from, at);
        try {
            return number.matches("-?[0-9]{1,18}") ? (Object) Long.valueOf(number) : new BigDecimal(number);
        } catch (NumberFormatException none) {
            throw wrong("a value");
        }
    }

    private Object word(String word, Object value) {
        if (!text.startsWith(word, at)) {
            throw wrong("a value");
        }
        at += word.length();
        return value;
    }

    private void space() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private boolean skip(char letter) {
        boolean found = at < text.length() && text.charAt(at) == letter;
        at += found ? 1 : 0;
        return found;
    }

    private void expect(char letter) {
        if (!skip(letter)) {
            throw wrong("'" + letter + "'");
        }
    }

    private IllegalArgumentException wrong(String due) {
        return new IllegalArgumentException("Not JSON: " + due + " was due at character " + at + ".");
    }

    // --- The values of results -------------------------------------------------------------------

    static String text(Map<String, Object> json, String key) {
        return (String) json.get(key);
    }

    static Boolean flag(Map<String, Object> json, String key) {
        return (Boolean) json.get(key);
    }

    static Long whole(Map<String, Object> json, String key) {
        Number number = (Number) json.get(key);
        return number == null ? null : (Long) number.longValue();
    }

    static Integer code(Map<String, Object> json, String key) {
        Number number = (Number) json.get(key);
        return number == null ? null : (Integer) number.intValue();
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> object(Map<String, Object> json, String key) {
        return (Map<String, Object>) json.get(key);
    }

    static <T> T made(Map<String, Object> json, String key, Function<Map<String, Object>, T> make) {
        Map<String, Object> object = object(json, key);
        return object == null ? null : make.apply(object);
    }

    @SuppressWarnings("unchecked")
    static List<String> texts(Map<String, Object> json, String key) {
        return (List<String>) json.get(key);
    }

    @SuppressWarnings("unchecked")
    static <T> List<T> list(Map<String, Object> json, String key, Function<Map<String, Object>, T> make) {
        List<T> made = new ArrayList<>();
        for (Object element : (List<Object>) json.get(key)) {
            made.add(make.apply((Map<String, Object>) element));
        }
        return made;
    }
}
