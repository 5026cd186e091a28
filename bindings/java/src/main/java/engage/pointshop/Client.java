package engage.pointshop;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.PointerByReference;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.ObjIntConsumer;
import java.util.function.ToIntFunction;

/**
 * A client of one Engage tenant. Each method calls the function of engage_point_shop.h with the
 * same name, where the header specifies it. Any thread may call any method at any time, also {@link
 * #close}: waiting calls then return.
 *
 * <p>A call that is not completed throws {@link DeclinedException}, {@link PendingException} or
 * {@link NotSentException}. A client that is no longer referenced is closed. Options may be null.
 */
public final class Client implements AutoCloseable {
    private static final AtomicLong CALLS = new AtomicLong();

    private final Native library;
    // A copy of the number, because the library itself rejects a call after the close.
    private final Pointer client;
    private final Handle handle;
    // Keep the functions alive.
    private volatile ObjIntConsumer<String> log;
    private volatile ObjIntConsumer<String> notify;
    private volatile boolean isUsed;

    private Client(Native library, Pointer client) {
        this.library = library;
        this.client = client;
        handle = new Handle(this, client);
    }

    /** Opens a client. The call makes no request. */
    public static Client open(Config config) {
        Native library = Library.get();
        byte[] given = Library.bytes(config.json(), "config");
        PointerByReference client = new PointerByReference();
        result(library, out -> library.eps_client_open(Native.ABI_VERSION, given, client.getPointer(), out));
        return new Client(library, client.getValue());
    }

    /**
     * Ends every call and closes the client. Pending operations are resolved after the next
     * open.
     */
    @Override
    public void close() {
        check(library, handle.close());
    }

    /** Ends the wait of every call on this client. Each call then returns its true outcome. */
    public void cancel() {
        check(library, library.eps_cancel(client));
    }

    /** Ends the wait of the calls with this option callId, and of no other call. */
    public void cancelCall(String callId) {
        check(library, library.eps_cancel_call(client, Library.bytes(callId, "callId")));
    }

    /** Finds the id of a member by a key, such as "email", and its value. */
    public String findContact(String key, String value, Options options) {
        byte[] first = Library.bytes(key, "key");
        byte[] second = Library.bytes(value, "value");
        return (String) ask(options, (given, out) -> library.eps_find_contact(client, first, second, given, out));
    }

    /** Lists a member's point accounts. */
    public List<Map<String, Object>> listPoints(String contactId, Options options) {
        byte[] contact = Library.bytes(contactId, "contactId");
        return list(options, (given, out) -> library.eps_list_points(client, contact, given, out));
    }

    /** Lists the items that a member can buy. */
    public List<Map<String, Object>> listItems(String contactId, Options options) {
        byte[] contact = Library.bytes(contactId, "contactId");
        return list(options, (given, out) -> library.eps_list_items(client, contact, given, out));
    }

    /**
     * Buys an item for points. Returns the operation when the purchase is completed; with the
     * option submit as soon as it is durable.
     */
    public Operation purchase(String contactId, String itemId, Options options) {
        byte[] contact = Library.bytes(contactId, "contactId");
        byte[] item = Library.bytes(itemId, "itemId");
        return spend(options, (given, out) -> library.eps_purchase(client, contact, item, given, out));
    }

    /** Lists a member's purchases in Engage. */
    public List<Map<String, Object>> listPurchases(String contactId, Options options) {
        byte[] contact = Library.bytes(contactId, "contactId");
        return list(options, (given, out) -> library.eps_list_purchases(client, contact, given, out));
    }

    /** Lists a member's rewards. */
    public List<Map<String, Object>> listRewards(String contactId, Options options) {
        byte[] contact = Library.bytes(contactId, "contactId");
        return list(options, (given, out) -> library.eps_list_rewards(client, contact, given, out));
    }

    /** Finds the reward that a completed purchase gave. */
    public FoundReward findReward(String operationId, Options options) {
        byte[] operation = Library.bytes(operationId, "operationId");
        return new FoundReward(object(options, (given, out) -> library.eps_find_reward(client, operation, given, out)));
    }

    /**
     * Uses a reward on a receipt. Returns the operation when the redeem is completed. A redeem
     * cannot be undone. The contact may be null.
     */
    public Operation redeemReward(String contactId, String assignmentId, Options options) {
        byte[] contact = Library.bytes(contactId, "contactId");
        byte[] assignment = Library.bytes(assignmentId, "assignmentId");
        return spend(options, (given, out) -> library.eps_redeem_reward(client, contact, assignment, given, out));
    }

    /** Lists the operations that are pending, or final and not acknowledged. */
    public List<Operation> listUnacknowledged(Options options) {
        return operations(object(options, (given, out) -> library.eps_list_unacknowledged(client, given, out)));
    }

    /** Lists the operations of the journal, also the acknowledged ones, page by page. */
    public OperationPage listOperations(Options options) {
        return new OperationPage(object(options, (given, out) -> library.eps_list_operations(client, given, out)));
    }

    /** Returns the last known state of an operation. */
    public Operation getOperation(String operationId) {
        byte[] operation = Library.bytes(operationId, "operationId");
        return new Operation(object(null, (given, out) -> library.eps_get_operation(client, operation, out)));
    }

    /** Resolves the pending operations now, instead of at their next scheduled time. */
    public Resolution resolvePending(Options options) {
        return new Resolution(object(options, (given, out) -> library.eps_resolve_pending(client, given, out)));
    }

    /** Acknowledges that the POS has stored the outcome of an operation. */
    public Operation acknowledge(String operationId) {
        byte[] operation = Library.bytes(operationId, "operationId");
        return new Operation(object(null, (given, out) -> library.eps_acknowledge(client, operation, out)));
    }

    /**
     * Stores the decision of a person about an operation in manual review, and acknowledges it. The
     * resolution is "completed" or "declined".
     */
    public Operation resolveReview(String operationId, String resolution, Options options) {
        byte[] operation = Library.bytes(operationId, "operationId");
        byte[] decision = Library.bytes(resolution, "resolution");
        return new Operation(
            object(options, (given, out) -> library.eps_resolve_review(client, operation, decision, given, out)));
    }

    /** Acknowledges all operations of a reference, or none. */
    public List<Operation> acknowledgeReference(String reference) {
        byte[] given = Library.bytes(reference, "reference");
        return operations(object(null, (none, out) -> library.eps_acknowledge_reference(client, given, none, out)));
    }

    /** Copies the journal into one new file, while it is in use. The path is absolute. */
    public JournalCopy backupJournal(String path) {
        byte[] given = Library.bytes(path, "path");
        return new JournalCopy(object(null, (none, out) -> library.eps_backup_journal(client, given, none, out)));
    }

    /** Returns the counters since open, and the numbers of records in the journal. */
    public Stats readStats() {
        return new Stats(object(null, (none, out) -> library.eps_read_stats(client, out)));
    }

    /** Checks everything that a sale needs, and says what to do about what is wrong. */
    public HealthReport check(Options options) {
        return new HealthReport(object(options, (given, out) -> library.eps_check(client, given, out)));
    }

    /** Returns the metrics of this client and its journal: OpenMetrics text. */
    public String readMetrics() {
        return result(library, out -> library.eps_read_metrics(client, out));
    }

    /**
     * Sets the function that receives each line of the log, as JSON, and its level. It runs on a
     * thread of the library. Null removes it.
     */
    public void setLog(int level, ObjIntConsumer<String> function) {
        ObjIntConsumer<String> used = function == null ? null : function::accept;
        Pointer user = used == null ? null : Functions.use(used);
        check(library, library.eps_set_log(client, level, used == null ? null : Functions.LINE, user));
        log = used;
    }

    /**
     * Sets the function that receives each operation whose state has changed, first every one that
     * is not acknowledged. It runs on a thread of the library. Null removes it.
     */
    public void setNotify(Consumer<Operation> function) {
        ObjIntConsumer<String> used = function == null ? null : (json, none) -> function.accept(new Operation(map(json)));
        Pointer user = used == null ? null : Functions.use(used);
        check(library, library.eps_set_notify(client, used == null ? null : Functions.CHANGE, user));
        notify = used;
    }

    // --- The calls that wait, as futures ---------------------------------------------------------

    /** Calls {@link #findContact} on a thread of its own; see {@link Call}. */
    public Call<String> findContactAsync(String key, String value, Options options) {
        return start(options, named -> findContact(key, value, named));
    }

    /** Calls {@link #listPoints} on a thread of its own; see {@link Call}. */
    public Call<List<Map<String, Object>>> listPointsAsync(String contactId, Options options) {
        return start(options, named -> listPoints(contactId, named));
    }

    /** Calls {@link #listItems} on a thread of its own; see {@link Call}. */
    public Call<List<Map<String, Object>>> listItemsAsync(String contactId, Options options) {
        return start(options, named -> listItems(contactId, named));
    }

    /** Calls {@link #purchase} on a thread of its own; see {@link Call}. */
    public Call<Operation> purchaseAsync(String contactId, String itemId, Options options) {
        return start(options, named -> purchase(contactId, itemId, named));
    }

    /** Calls {@link #listPurchases} on a thread of its own; see {@link Call}. */
    public Call<List<Map<String, Object>>> listPurchasesAsync(String contactId, Options options) {
        return start(options, named -> listPurchases(contactId, named));
    }

    /** Calls {@link #listRewards} on a thread of its own; see {@link Call}. */
    public Call<List<Map<String, Object>>> listRewardsAsync(String contactId, Options options) {
        return start(options, named -> listRewards(contactId, named));
    }

    /** Calls {@link #findReward} on a thread of its own; see {@link Call}. */
    public Call<FoundReward> findRewardAsync(String operationId, Options options) {
        return start(options, named -> findReward(operationId, named));
    }

    /** Calls {@link #redeemReward} on a thread of its own; see {@link Call}. */
    public Call<Operation> redeemRewardAsync(String contactId, String assignmentId, Options options) {
        return start(options, named -> redeemReward(contactId, assignmentId, named));
    }

    /** Calls {@link #resolvePending} on a thread of its own; see {@link Call}. */
    public Call<Resolution> resolvePendingAsync(Options options) {
        return start(options, named -> resolvePending(named));
    }

    /** Calls {@link #check} on a thread of its own; see {@link Call}. */
    public Call<HealthReport> checkAsync(Options options) {
        return start(options, named -> check(named));
    }

    // --- The functions without a client ----------------------------------------------------------

    /** Makes a new purchase id. The POS stores the id before it is used. */
    public static String newId() {
        return (String) Json.parse(result(Library.get(), Library.get()::eps_new_id));
    }

    /** Returns the library's version, "1.2.3". */
    public static String version() {
        return Library.text(Library.get().eps_version());
    }

    /** Returns who acts on a code, also on a code that is newer than this binding. */
    public static Action actionOf(int code) {
        return Action.named(Library.text(Library.get().eps_code_action(code)));
    }

    /** Returns the meaning of a code in one or two English sentences. */
    public static String meaningOf(int code) {
        return Library.text(Library.get().eps_code_meaning(code));
    }

    /**
     * Returns one value of a JSON text by a JSON Pointer: a string is unquoted, another is
     * JSON.
     */
    public static String jsonGet(String json, String pointer) {
        byte[] bytes = Library.bytes(json, "json");
        byte[] path = Library.bytes(pointer, "pointer");
        if (bytes == null) {
            // The library says so.
            return result(Library.get(), out -> Library.get().eps_json_get(null, path, out));
        }
        Memory memory = new Memory(bytes.length);
        memory.write(0, bytes, 0, bytes.length);
        Buffer from = new Buffer(memory, bytes.length - 1);
        String value = result(Library.get(), out -> Library.get().eps_json_get(from, path, out));
        // Read after the call, so that the bytes are not collected during it.
        memory.getByte(0);
        return value;
    }

    /** Writes a text as a JSON string with its quotes. {@link Json#write} writes whole objects. */
    public static String jsonQuote(String text) {
        byte[] given = Library.bytes(text, "text");
        return result(Library.get(), out -> Library.get().eps_json_quote(given, out));
    }

    // --- How a call is made ----------------------------------------------------------------------

    private interface Made {
        int call(byte[] options, Pointer out);
    }

    private Object ask(Options options, Made made) {
        byte[] given = options == null ? null : Library.bytes(options.json(), "options");
        String json = result(library, out -> made.call(given, out));
        // Written after the call, so that the client is not collected, and thereby closed, during
        // it.
        isUsed = true;
        return Json.parse(json);
    }

    @SuppressWarnings("unchecked")
    private Map<String, Object> object(Options options, Made made) {
        return (Map<String, Object>) ask(options, made);
    }

    @SuppressWarnings("unchecked")
    private List<Map<String, Object>> list(Options options, Made made) {
        return (List<Map<String, Object>>) ask(options, made);
    }

    private Operation spend(Options options, Made made) {
        try {
            return new Operation(object(options, made));
        } catch (PendingException pending) {
            Operation submitted = pending.problem().operation();
            if (pending.code() != Code.PENDING_SUBMITTED || submitted == null) {
                throw pending;
            }
            // Durable and on its way, as asked for.
            return submitted;
        }
    }

    private <T> Call<T> start(Options options, Function<Options, T> call) {
        Options named = new Options();
        if (options != null) {
            options.copyInto(named);
        }
        if (named.get("callId") == null) {
            named.callId("java-" + CALLS.incrementAndGet());
        }
        Call<T> started = new Call<>(this, (String) named.get("callId"));
        started.start(() -> call.apply(named));
        return started;
    }

    private static List<Operation> operations(Map<String, Object> json) {
        return Json.list(json, "operations", Operation::new);
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> map(String json) {
        return (Map<String, Object>) Json.parse(json);
    }

    /** Makes a call with a buffer. Returns its text or throws the exception of its code. */
    private static String result(Native library, ToIntFunction<Pointer> call) {
        try (Buffer out = new Buffer()) {
            int code = call.applyAsInt(out);
            String text;
            try {
                text = out.text();
            } finally {
                library.eps_buffer_dispose(out);
            }
            if (code != Code.OK) {
                throw PointShopException.of(library, code, text);
            }
            return text;
        }
    }

    private static void check(Native library, int code) {
        if (code != Code.OK) {
            throw PointShopException.of(library, code, "");
        }
    }
}
