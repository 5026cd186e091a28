package engage.pointshop;

import com.sun.jna.CallbackThreadInitializer;
import com.sun.jna.Pointer;
import java.lang.ref.WeakReference;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.ObjIntConsumer;

/**
 * The functions that the library calls. It gets only these two, so that none in its hands is ever
 * collected. They find the POS's function by its number.
 */
final class Functions {
    // Weak, so that a function that refers to its client does not keep the client open.
    private static final Map<Long, WeakReference<ObjIntConsumer<String>>> USED = new ConcurrentHashMap<>();
    private static final AtomicLong NUMBERS = new AtomicLong();

    static final Native.LogFunction LINE = (user, level, line, length) -> give(user, level, Buffer.text(line, length));
    static final Native.NotifyFunction CHANGE = (user, json, length) -> give(user, 0, Buffer.text(json, length));

    static {
        // The threads are the library's. They must not keep the process from its end.
        CallbackThreadInitializer daemon = new CallbackThreadInitializer(true, false, "engage-point-shop");
        com.sun.jna.Native.setCallbackThreadInitializer(LINE, daemon);
        com.sun.jna.Native.setCallbackThreadInitializer(CHANGE, daemon);
    }

    private Functions() {}

    private static void give(Pointer user, int level, String text) {
        WeakReference<ObjIntConsumer<String>> used = USED.get(Pointer.nativeValue(user));
        ObjIntConsumer<String> function = used == null ? null : used.get();
        if (function != null) {
            function.accept(text, level);
        }
    }

    /** Returns the number of a function. The caller keeps the function alive. */
    static Pointer use(ObjIntConsumer<String> function) {
        USED.values().removeIf(used -> used.get() == null);
        long number = NUMBERS.incrementAndGet();
        USED.put(number, new WeakReference<>(function));
        return Pointer.createConstant(number);
    }
}
