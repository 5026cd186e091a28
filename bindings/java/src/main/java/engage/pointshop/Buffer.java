package engage.pointshop;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import java.nio.charset.StandardCharsets;

/** An eps_buffer of the C API: a pointer and two lengths of a pointer's size. */
final class Buffer extends Memory {
    Buffer() {
        super(3L * com.sun.jna.Native.POINTER_SIZE);
        clear();
    }

    /** Makes a buffer of the program's own. The bytes stay alive with it. */
    Buffer(Memory bytes, long length) {
        this();
        setPointer(0, bytes);
        setPointer(com.sun.jna.Native.POINTER_SIZE, Pointer.createConstant(length));
    }

    String text() {
        return text(getPointer(0), getPointer(com.sun.jna.Native.POINTER_SIZE));
    }

    /** Reads UTF-8. A length is a size_t, which has the size of a pointer. */
    static String text(Pointer bytes, Pointer length) {
        if (bytes == null) {
            return "";
        }
        return new String(bytes.getByteArray(0, (int) Pointer.nativeValue(length)), StandardCharsets.UTF_8);
    }
}
