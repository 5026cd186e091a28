package engage.pointshop;

import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Finds the native library once, checks its version, and makes texts for it. */
final class Library {
    private static final String NAME = "engage_point_shop";

    private static Native loaded;

    private Library() {}

    /**
     * Returns the library: of the jar, or of the system. The property jna.library.path names
     * another folder.
     */
    static synchronized Native get() {
        if (loaded == null) {
            loaded = load();
        }
        return loaded;
    }

    private static Native load() {
        String file = System.mapLibraryName(NAME);
        String place = place();
        NativeLibrary library;
        try {
            library = NativeLibrary.getInstance(place);
        } catch (UnsatisfiedLinkError missing) {
            int bits = 8 * com.sun.jna.Native.POINTER_SIZE;
            throw new LibraryException("The native library " + file + " cannot be loaded into this " + bits + "-bit Java: "
                + missing.getMessage() + ". Use the jar of a release, which has it for this platform.", missing);
        }
        String path = library.getFile() == null ? file : library.getFile().getPath();
        // The version first, because another version may lack the other functions.
        try {
            int abi = library.getFunction("eps_abi_version").invokeInt(new Object[0]);
            if (abi != Native.ABI_VERSION) {
                throw new LibraryException(path + " has ABI version " + abi + ". This jar needs " + Native.ABI_VERSION
                    + ". Use the library and the jar of one release.", null);
            }
        } catch (UnsatisfiedLinkError other) {
            throw new LibraryException(path + " is not engage_point_shop: " + other.getMessage(), other);
        }
        for (Method method : Native.class.getMethods()) {
            try {
                library.getFunction(method.getName());
            } catch (UnsatisfiedLinkError older) {
                throw new LibraryException(path + " is older than this jar: it has no " + method.getName()
                    + ". Use the library and the jar of one release.", older);
            }
        }
        return com.sun.jna.Native.load(place, Native.class);
    }

    /** Returns the path of the jar's library, else the name under which the system searches. */
    private static String place() {
        if (System.getProperty("jna.library.path") != null) {
            return NAME;
        }
        try {
            return com.sun.jna.Native.extractFromResourcePath(NAME, Library.class.getClassLoader()).getPath();
        } catch (IOException none) {
            return NAME;
        }
    }

    /** Reads a static text. */
    static String text(Pointer text) {
        return text.getString(0, "UTF-8");
    }

    /** Returns a text as UTF-8 with a NUL behind, or null. */
    static byte[] bytes(String text, String name) {
        if (text == null) {
            return null;
        }
        if (text.indexOf('\0') >= 0) {
            throw new IllegalArgumentException(name + " has a NUL character inside. Remove the character.");
        }
        try {
            ByteBuffer bytes = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text));
            return Arrays.copyOf(Arrays.copyOf(bytes.array(), bytes.limit()), bytes.limit() + 1);
        } catch (CharacterCodingException half) {
            throw new IllegalArgumentException(name + " has half a surrogate pair inside. Remove the character.", half);
        }
    }
}
