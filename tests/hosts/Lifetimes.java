// What a Java host may do to clients, functions and the process. Arguments and output: see
// lifetimes.c. Without arguments it prints the library's version.

import engage.pointshop.Call;
import engage.pointshop.Client;
import engage.pointshop.Code;
import engage.pointshop.Config;
import engage.pointshop.Json;
import engage.pointshop.LibraryException;
import engage.pointshop.LogLevel;
import engage.pointshop.NotSentException;
import engage.pointshop.Operation;
import engage.pointshop.Options;
import engage.pointshop.Outcome;
import engage.pointshop.PendingException;
import engage.pointshop.PointShopException;
import java.io.InputStream;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Scanner;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;

final class Lifetimes {
    private static final String ASTRID = "a0000000-0000-4000-8000-000000000001";
    // Every request for this member stalls.
    private static final String BJORN = "a0000000-0000-4000-8000-000000000002";
    private static final String COFFEE = "b0000000-0000-4000-8000-000000000001";
    private static final AtomicInteger HELD = new AtomicInteger();

    private static String[] given;

    private static void check(boolean holds, String what) {
        if (!holds) {
            System.err.println("does not hold: " + what);
            Runtime.getRuntime().halt(1);
        }
        HELD.incrementAndGet();
    }

    private static void eventually(BooleanSupplier holds, String what) {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (!holds.getAsBoolean() && System.nanoTime() < until) {
            Thread.yield();
        }
        check(holds.getAsBoolean(), what);
    }

    /** Checks that a call fails. Returns its problem object without its message. */
    private static Map<String, Object> fails(Class<?> kind, int code, Runnable call) {
        try {
            call.run();
        } catch (RuntimeException raised) {
            Throwable cause = raised instanceof CompletionException ? raised.getCause() : raised;
            check(kind.isInstance(cause) && ((PointShopException) cause).code() == code, code + " was due, not " + cause);
            Map<String, Object> problem = ((PointShopException) cause).problem().json();
            check(!((String) problem.remove("message")).isEmpty(), "it has a message");
            return problem;
        }
        check(false, code + " was due");
        return null;
    }

    private static Client open(String journal) {
        return Client.open(new Config().baseUrl(given[0]).caFile(given[1]).apiKey(given[2]).userAgent("Host/1")
            .journalPath(given[3] + "/" + journal).waitMs(60000));
    }

    /** Returns whether this process has the journal open: its shared memory is mapped. */
    private static boolean isOpen(String journal) {
        try {
            return new String(Files.readAllBytes(Paths.get("/proc/self/maps")), "UTF-8").contains(journal + "-shm");
        } catch (java.io.IOException error) {
            throw new IllegalStateException(error);
        }
    }

    /** Returns how many of such requests the sandbox got. */
    @SuppressWarnings("unchecked")
    private static long arrived(String path) {
        try (InputStream response = new URL(given[4] + "/_sandbox/requests").openStream();
            Scanner text = new Scanner(response, "UTF-8").useDelimiter("\\A")) {
            List<Map<String, Object>> requests = (List<Map<String, Object>>) Json.parse(text.next());
            return requests.stream().filter(each -> each.get("path").toString().contains(path) && BJORN.equals(each.get("contactId"))).count();
        } catch (java.io.IOException error) {
            throw new IllegalStateException(error);
        }
    }

    private static void closing() {
        Client first = open("points.db");
        Client second = open("points.db");
        first.close();
        first.close();
        Operation bought = second.purchase(ASTRID, COFFEE, new Options().reference("java 1"));
        check(bought.outcome() == Outcome.COMPLETED && !bought.existing(), "the other goes on");
        fails(NotSentException.class, Code.CLOSED, () -> first.listPoints(ASTRID, null));
        fails(NotSentException.class, Code.CLOSED, () -> first.listOperations(null));
        fails(NotSentException.class, Code.CLOSED, () -> first.acknowledgeReference("java 1"));
        fails(NotSentException.class, Code.CLOSED, () -> first.resolveReview(ASTRID, "completed", null));
        fails(NotSentException.class, Code.CLOSED, () -> first.backupJournal("/copy.db"));
        Map<String, Object> librarys = fails(NotSentException.class, Code.CLOSED, first::readStats);
        Map<String, Object> made = fails(NotSentException.class, Code.CLOSED, first::cancel);
        check(made.equals(librarys), "a problem without a text of the library has all values: " + Json.write(made));
        try {
            first.cancel();
        } catch (NotSentException closed) {
            check(closed.problem().outcome() == Outcome.NOT_SENT && closed.problem().forCashier() != null, "it is not sent");
        }
        check(isOpen("points.db"), "a client that is open has its journal");
        second.close();
        eventually(() -> !isOpen("points.db"), "and lets go of it");
        fails(NotSentException.class, Code.CLOSED, () -> second.setLog(LogLevel.INFO, (line, level) -> {}));
        fails(NotSentException.class, Code.CLOSED, () -> second.setNotify(operation -> {}));
        fails(NotSentException.class, Code.CLOSED, () -> second.listItemsAsync(ASTRID, null).join());
    }

    private static void forget(String journal) {
        Client shop = open(journal);
        // A log function that refers to its client does not keep it open.
        shop.setLog(LogLevel.DEBUG, (line, level) -> shop.toString());
        shop.listPoints(ASTRID, null);
        check(isOpen(journal), "a client");
    }

    private static void collecting() {
        forget("collected.db");
        eventually(() -> {
            System.gc();
            return !isOpen("collected.db");
        }, "that is forgotten is closed");
    }

    private static void logging() {
        try (Client shop = open("points.db")) {
            AtomicInteger lines = new AtomicInteger();
            com.sun.jna.Native.setCallbackExceptionHandler((callback, error) -> {});
            shop.setLog(LogLevel.DEBUG, (line, level) -> {
                check(Json.parse(line) instanceof Map && level > LogLevel.OFF, "a line is JSON");
                lines.incrementAndGet();
                throw new IllegalStateException("from a log function");
            });
            for (int round = 0; round < 50; round++) {
                shop.listPoints(ASTRID, null);
                System.gc();
            }
            eventually(() -> lines.get() >= 50, "every line comes, whatever is collected meanwhile, and whatever is thrown");
            shop.setLog(LogLevel.OFF, null);
        }
    }

    private static void waiting() {
        Client shop = open("waiting.db");
        Call<List<Map<String, Object>>> reading = shop.listItemsAsync(BJORN, null);
        check(!shop.listItems(ASTRID, null).isEmpty(), "another call returns meanwhile");
        Call<Operation> buying = shop.purchaseAsync(BJORN, COFFEE, null);
        eventually(() -> arrived("point-shop-items/purchase") == 1, "a purchase is under way");
        check(!buying.cancel(true), "a cancelled call still has its outcome");
        fails(PendingException.class, Code.PENDING_CANCELLED, buying::join);
        check(!reading.isDone(), "a cancellation belongs to one call");
        Call<List<Map<String, Object>>> early = shop.listItemsAsync(BJORN, null);
        early.cancel(true);
        fails(NotSentException.class, Code.CANCELLED, early::join);
        Call<Operation> purchase = shop.purchaseAsync(BJORN, COFFEE, new Options().reference("java closed"));
        eventually(() -> arrived("point-shop-items/purchase") == 2, "another purchase is under way");
        shop.close();
        fails(NotSentException.class, Code.CLOSED, reading::join);
        fails(PendingException.class, Code.PENDING_CLOSED, purchase::join);
    }

    private static void submitting() throws InterruptedException {
        try (Client shop = open("submitting.db")) {
            Queue<Operation> changes = new ConcurrentLinkedQueue<>();
            shop.setNotify(changes::add);
            Operation bought = shop.purchaseAsync(ASTRID, COFFEE, new Options().reference("java async")).join();
            check(bought.outcome() == Outcome.COMPLETED, "a future has the outcome");
            eventually(() -> changes.stream().anyMatch(each ->
                each.operationId().equals(bought.operationId()) && each.outcome() == Outcome.COMPLETED), "it is reported");
            Operation submitted = shop.purchase(BJORN, COFFEE, new Options().reference("java submitted").submit(true));
            check(submitted.outcome() == Outcome.PENDING && !submitted.existing(), "a submitted purchase is returned at once");
            CountDownLatch seen = new CountDownLatch(1);
            shop.setNotify(operation -> {
                // From its own thread a function may set another one.
                shop.setNotify(null);
                seen.countDown();
            });
            check(seen.await(10, TimeUnit.SECONDS), "a function that removes itself");
        }
    }

    private static void texts() {
        try (Client shop = open("points.db")) {
            for (String wrong : new String[] {"a\0b", "\ud800"}) {
                try {
                    shop.findContact("email", wrong, null);
                    check(false, "a text that cannot be UTF-8 with a NUL behind");
                } catch (IllegalArgumentException error) {
                    check(true, "is an error");
                }
            }
            fails(NotSentException.class, Code.NULL_ARGUMENT, () -> shop.findContact(null, "x", null));
            fails(NotSentException.class, Code.BAD_OPTIONS, () -> shop.listItems(ASTRID, new Options().set("colour", "red")));
        }
        fails(NotSentException.class, Code.NULL_ARGUMENT, () -> Client.jsonGet(null, ""));
        fails(NotSentException.class, Code.NULL_ARGUMENT, () -> Client.jsonGet("{}", null));
        fails(NotSentException.class, Code.NULL_ARGUMENT, () -> Client.jsonQuote(null));
        for (String text : new String[] {"", "{", "[1,]", "{\"a\"}", "\"\\x\"", "\"\\u12\"", "\"a", "tru", "-", "1 2", "{}x",
            new String(new char[9999]).replace('\0', '[')}) {
            try {
                Json.parse(text);
                check(false, "not JSON: " + text);
            } catch (IllegalArgumentException error) {
                check(true, "is an error");
            }
        }
        String whole = "{\"a\":[1,-2.50,true,false,null,\"\\\"å\\\\😀\"],\"b\":{},\"c\":[]}";
        check(Json.write(Json.parse(" " + whole.replace("å", "\\u00e5").replace(",", " ,\n") + "\t")).equals(whole), "read and written");
    }

    /**
     * In Java 16 and newer the results are records, in older ones classes with the same
     * methods.
     */
    private static void records() throws ReflectiveOperationException {
        boolean hasRecords = !System.getProperty("java.specification.version").startsWith("1.");
        check(Operation.class.getSuperclass().getSimpleName().equals(hasRecords ? "Record" : "Object"), "a result is a record");
    }

    public static void main(String[] words) throws Exception {
        given = words;
        if (words.length == 0) {
            // Whether the library is found: the tests put wrong libraries of every kind there.
            try {
                System.out.println(Client.version());
            } catch (LibraryException problem) {
                System.out.println(problem.getMessage());
                System.exit(3);
            }
            return;
        }
        closing();
        collecting();
        logging();
        waiting();
        submitting();
        texts();
        records();
        // Left open with functions and with a call: the process still ends cleanly.
        Client left = open("points.db");
        left.setLog(LogLevel.DEBUG, (line, level) -> {});
        left.setNotify(operation -> {});
        left.listItemsAsync(BJORN, null);
        left.listPoints(ASTRID, null);
        System.out.println(HELD + " checks held");
    }
}
