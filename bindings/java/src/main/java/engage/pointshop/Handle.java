package engage.pointshop;

import com.sun.jna.Pointer;
import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;

/** Closes a client once: by its close, or when the client is collected. */
final class Handle extends PhantomReference<Client> {
    private static final ReferenceQueue<Client> COLLECTED = new ReferenceQueue<>();
    private static final Set<Handle> OPEN = ConcurrentHashMap.newKeySet();

    static {
        Thread closing = new Thread(() -> {
            while (true) {
                try {
                    ((Handle) COLLECTED.remove()).close();
                } catch (InterruptedException | RuntimeException next) {
                    // The next client is closed all the same.
                }
            }
        }, "engage-point-shop-close");
        closing.setDaemon(true);
        closing.start();
    }

    private final Pointer client;
    private final AtomicBoolean isOpen = new AtomicBoolean(true);

    Handle(Client owner, Pointer client) {
        super(owner, COLLECTED);
        this.client = client;
        OPEN.add(this);
    }

    int close() {
        OPEN.remove(this);
        return isOpen.compareAndSet(true, false) ? Library.get().eps_client_close(client) : Code.OK;
    }
}
