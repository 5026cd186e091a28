package engage.pointshop;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.ExecutionException;
import java.util.function.Supplier;

/**
 * A call that runs on a thread of the binding. It completes with the result of the call, or with
 * its DeclinedException, PendingException or NotSentException.
 */
public final class Call<T> extends CompletableFuture<T> {
    // Daemons: a process ends with calls under way, and the journal holds what they spend.
    private static final ExecutorService THREADS = Executors.newCachedThreadPool(work -> {
        Thread thread = new Thread(work, "engage-point-shop-call");
        thread.setDaemon(true);
        return thread;
    });

    private final Client client;
    private final String callId;

    Call(Client client, String callId) {
        this.client = client;
        this.callId = callId;
    }

    void start(Supplier<T> call) {
        THREADS.execute(() -> {
            try {
                complete(call.get());
            } catch (Throwable outcome) {
                completeExceptionally(outcome);
            }
        });
    }

    /**
     * Ends the wait of this call and of no other one, within 100 ms. Returns false: the future then
     * completes with its true outcome, and not with a CancellationException, which has none.
     */
    @Override
    public boolean cancel(boolean mayInterruptIfRunning) {
        THREADS.execute(() -> {
            // Repeated: it has no effect on a call that has not entered the library yet.
            while (!isDone()) {
                try {
                    client.cancelCall(callId);
                    get(20, TimeUnit.MILLISECONDS);
                } catch (TimeoutException again) {
                    // The call has not ended yet.
                } catch (InterruptedException | ExecutionException | PointShopException ended) {
                    return;
                }
            }
        });
        return false;
    }
}
