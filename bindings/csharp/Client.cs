// The client. Each method calls the function of engage_point_shop.h with the same name, where the
// header specifies it.

using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;

namespace EngagePointShop
{
    /// <summary>
    /// A client of one Engage tenant. Any thread may call any method at any time, also Dispose:
    /// waiting calls then return. A call that is not completed throws <see
    /// cref="DeclinedException"/>, <see cref="NotSentException"/> or <see
    /// cref="PendingException"/>. The garbage collector closes a client that is no longer
    /// referenced.
    /// </summary>
    /// <remarks>
    /// A CancellationToken ends the wait of its own call, not the purchase. The task ends within 50
    /// ms: with NotSentException if nothing was sent, else with PendingException. The task never
    /// ends with OperationCanceledException, which does not state the outcome.
    /// </remarks>
    public sealed class Client : IEngageClient
    {
        /// <summary>The client's number in the library. A number is never used again, so that a
        /// late call is harmless.</summary>
        sealed class Handle : SafeHandle
        {
            readonly Native native;
            // Keeps the functions alive until the client is closed.
            internal Log Log;
            internal readonly Changes Changes = new Changes();

            internal Handle(Native native, IntPtr client) : base(IntPtr.Zero, true)
            {
                this.native = native;
                SetHandle(client);
                OpenClients[client] = native;
                AllChanges[Changes.Number] = new WeakReference<Changes>(Changes);
            }

            public override bool IsInvalid => handle == IntPtr.Zero;

            protected override bool ReleaseHandle()
            {
                OpenClients.TryRemove(handle, out _);
                AllChanges.TryRemove(Changes.Number, out _);
                return native.eps_client_close(handle) == (int)Code.Ok;
            }
        }

        // Holds numbers, so that the map keeps no client alive.
        static readonly ConcurrentDictionary<IntPtr, Native> OpenClients = new ConcurrentDictionary<IntPtr, Native>();

        // At its end, the runtime waits for threads in managed code: waiting calls and the log's
        // thread.
        static Client()
        {
            EventHandler close = (sender, e) =>
            {
                foreach (var open in OpenClients) open.Value.eps_client_close(open.Key);
            };
            AppDomain.CurrentDomain.ProcessExit += close;
            AppDomain.CurrentDomain.DomainUnload += close;
        }

        delegate int Call(out Native.Buffer buffer);

        readonly Native native;
        readonly Handle handle;
        // A copy of the number, because the library itself rejects a call after Dispose.
        readonly IntPtr client;
        readonly Changes changes;
        // The configuration's.
        readonly TimeSpan wait;
        readonly string language;

        Client(Native native, IntPtr client, TimeSpan wait, string language)
        {
            this.native = native;
            this.client = client;
            this.wait = wait;
            this.language = language;
            handle = new Handle(native, client);
            changes = handle.Changes;
        }

        /// <summary>The version of the native library, "1.2.3".</summary>
        public static string LibraryVersion => Native.TextOf(Native.Library.eps_version());

        /// <summary>Makes a new purchase id. The POS stores the id before it is used.</summary>
        public static string NewId()
        {
            var native = Native.Library;
            return Checked(native, (out Native.Buffer buffer) => native.eps_new_id(out buffer)).Text;
        }

        /// <summary>Returns who acts on a code, also on a code that is newer than this
        /// binding.</summary>
        public static CodeAction ActionOf(Code code) => Operation.ActionOf(Native.TextOf(Native.Library.eps_code_action((int)code)));

        /// <summary>Returns the meaning of a code in one or two English sentences.</summary>
        public static string MeaningOf(Code code) => Native.TextOf(Native.Library.eps_code_meaning((int)code));

        /// <summary>Returns one value of a JSON text by a JSON Pointer, "/operationId". A string is
        /// unquoted, any other value is JSON. Json.Parse reads a whole text.</summary>
        /// <exception cref="NotSentException">There is no such value: EPS_BAD_OPTIONS.</exception>
        public static string JsonGet(string json, string pointer)
        {
            var native = Native.Library;
            byte[] bytes = Text(json, nameof(json)), path = Text(pointer, nameof(pointer));
            var pinned = GCHandle.Alloc(bytes, GCHandleType.Pinned);
            try
            {
                var from = new Native.Buffer { Length = (UIntPtr)(bytes == null ? 0 : bytes.Length - 1) };
                if (bytes != null) from.Data = pinned.AddrOfPinnedObject();
                return CheckedText(native, (out Native.Buffer buffer) => native.eps_json_get(ref from, path, out buffer));
            }
            finally
            {
                pinned.Free();
            }
        }

        /// <summary>Writes a text as a JSON string with its quotes. Json.Write writes whole
        /// objects.</summary>
        public static string JsonQuote(string text)
        {
            var native = Native.Library;
            var bytes = Text(text, nameof(text));
            return CheckedText(native, (out Native.Buffer buffer) => native.eps_json_quote(bytes, out buffer));
        }

        /// <summary>Opens a client. The call makes no request.</summary>
        /// <exception cref="LibraryException">The native library is missing or has another
        /// version.</exception>
        public static Client Open(Configuration configuration) =>
            Open((configuration ?? throw new ArgumentNullException(nameof(configuration))).ToJson());

        /// <summary>Opens a client. docs/configuration.md lists the keys; a key is left out if its
        /// value is null. The call makes no request.</summary>
        /// <exception cref="LibraryException">The native library is missing or has another
        /// version.</exception>
        public static Client Open(Dictionary<string, object> configuration)
        {
            var native = Native.Library;
            var config = Native.Bytes(Json.Write(configuration));
            var client = IntPtr.Zero;
            Checked(native, (out Native.Buffer buffer) => native.eps_client_open(Abi.Version, config, out client, out buffer));
            configuration.TryGetValue("waitMs", out object waitMs);
            configuration.TryGetValue("language", out object language);
            var wait = TimeSpan.FromMilliseconds(waitMs == null ? 10000 : Convert.ToDouble(waitMs, CultureInfo.InvariantCulture));
            return new Client(native, client, wait, language as string);
        }

        /// <summary>Ends every call and closes the client, within two seconds. Pending operations
        /// are resolved after the next open.</summary>
        public void Dispose()
        {
            handle.Dispose();
            handle.Log = null;
            changes.Close();
        }

        /// <summary>Ends the wait of every call on this client. Each call returns its true
        /// outcome.</summary>
        public void Cancel() => Check(native.eps_cancel(client));

        /// <summary>Ends the wait of the calls with this CallId, and of no other call.</summary>
        public void CancelCall(string callId) => Check(native.eps_cancel_call(client, Text(callId, nameof(callId))));

        /// <summary>Finds the id of a member by a key, such as "email", and its value.</summary>
        public string FindContact(string key, string value, ContactOptions options = null) =>
            Ask(native.eps_find_contact, Text(key, nameof(key)), Text(value, nameof(value)), options).Text;

        /// <summary>Lists a member's point accounts.</summary>
        public IReadOnlyList<PointAccount> ListPoints(string contactId, CallOptions options = null) =>
            List(native.eps_list_points, contactId, options, json => new PointAccount(json));

        /// <summary>Lists the items that a member can buy.</summary>
        public IReadOnlyList<Item> ListItems(string contactId, CallOptions options = null) =>
            List(native.eps_list_items, contactId, options, json => new Item(json));

        /// <summary>Buys an item for points. Returns the operation when the purchase is
        /// completed.</summary>
        /// <exception cref="PendingException">The outcome is not known yet. Let the sale go on, and
        /// call ListUnacknowledged later.</exception>
        /// <exception cref="DeclinedException">Engage declined it, and nothing was
        /// deducted.</exception>
        /// <exception cref="NotSentException">Nothing has left the till. The call may be
        /// repeated.</exception>
        public Operation Purchase(string contactId, string itemId, PurchaseOptions options = null) =>
            Submitted(() => Ask(native.eps_purchase, Text(contactId, nameof(contactId)), Text(itemId, nameof(itemId)), options));

        /// <summary>Lists a member's purchases in Engage.</summary>
        public IReadOnlyList<Purchase> ListPurchases(string contactId, CallOptions options = null) =>
            List(native.eps_list_purchases, contactId, options, json => new Purchase(json));

        /// <summary>Lists a member's rewards.</summary>
        public IReadOnlyList<Reward> ListRewards(string contactId, RewardOptions options = null) =>
            List(native.eps_list_rewards, contactId, options, json => new Reward(json));

        /// <summary>Finds the reward that a completed purchase gave.</summary>
        public FoundReward FindReward(string operationId, CallOptions options = null) =>
            new FoundReward(Ask(native.eps_find_reward, Text(operationId, nameof(operationId)), options));

        /// <summary>Uses a reward on a receipt. Returns the operation when the redeem is completed.
        /// A redeem cannot be undone. <paramref name="contactId"/> may be null.</summary>
        /// <exception cref="PendingException">The outcome is not known yet. Let the sale go on, and
        /// call ListUnacknowledged later.</exception>
        /// <exception cref="DeclinedException">This operation did not use the reward.</exception>
        /// <exception cref="NotSentException">Nothing has left the till. The call may be
        /// repeated.</exception>
        public Operation RedeemReward(string contactId, string assignmentId, RedeemOptions options = null) => Submitted(() =>
            Ask(native.eps_redeem_reward, Text(contactId, nameof(contactId)), Text(assignmentId, nameof(assignmentId)), options));

        // A submitted operation is durable and on its way, as asked for.
        static Operation Submitted(Func<Json> call)
        {
            try
            {
                return new Operation(call());
            }
            catch (PendingException pending) when (pending.Code == Code.PendingSubmitted)
            {
                return pending.Operation ?? throw new PendingException(pending.Code, pending.Name, pending.Problem);
            }
        }

        /// <summary>Lists the operations that are pending, or final and not acknowledged.</summary>
        public IReadOnlyList<Operation> ListUnacknowledged(UnacknowledgedOptions options = null) =>
            Operation.List(Ask(native.eps_list_unacknowledged, Options(options?.ToJson())));

        /// <summary>Lists the operations of the journal, also the acknowledged ones, page by
        /// page.</summary>
        public OperationPage ListOperations(ListOptions options = null) =>
            new OperationPage(Ask(native.eps_list_operations, Options(options?.ToJson())));

        /// <summary>Returns the last known state of an operation.</summary>
        public Operation GetOperation(string operationId) => new Operation(Ask(native.eps_get_operation, Text(operationId, nameof(operationId))));

        /// <summary>Resolves the pending operations now, instead of at their next scheduled
        /// time.</summary>
        public Resolution ResolvePending(CallOptions options = null) => new Resolution(Ask(native.eps_resolve_pending, Options(options?.ToJson())));

        /// <summary>Acknowledges that the POS has stored the outcome of an operation.</summary>
        public Operation Acknowledge(string operationId) => new Operation(Ask(native.eps_acknowledge, Text(operationId, nameof(operationId))));

        /// <summary>Stores the decision of a person about an operation in manual review, and
        /// acknowledges it. <paramref name="resolution"/> is "completed" or "declined".</summary>
        /// <exception cref="NotSentException">The operation needs no manual review:
        /// EPS_STILL_PENDING.</exception>
        public Operation ResolveReview(string operationId, string resolution, ReviewOptions options = null)
        {
            byte[] id = Text(operationId, nameof(operationId)), decision = Text(resolution, nameof(resolution));
            var third = Options(options?.ToJson());
            return new Operation(Checked((out Native.Buffer buffer) => native.eps_resolve_review(client, id, decision, third, out buffer)));
        }

        /// <summary>Acknowledges all operations of a reference, or none.</summary>
        /// <exception cref="NotSentException">One of them is pending:
        /// EPS_STILL_PENDING.</exception>
        public IReadOnlyList<Operation> AcknowledgeReference(string reference) =>
            Operation.List(Ask(native.eps_acknowledge_reference, Text(reference, nameof(reference)), null));

        /// <summary>Copies the journal into one new file, while it is in use. The copy is marked as
        /// one. <paramref name="path"/> is absolute.</summary>
        /// <exception cref="NotSentException">No copy was made: the file exists already, for
        /// example.</exception>
        public JournalCopy BackupJournal(string path) => new JournalCopy(Ask(native.eps_backup_journal, Text(path, nameof(path)), null));

        /// <summary>Returns the counters since open, and the numbers of records in the
        /// journal.</summary>
        public Stats ReadStats() => new Stats(Checked((out Native.Buffer buffer) => native.eps_read_stats(client, out buffer)));

        /// <summary>Checks everything that a sale needs, and says what to do about what is
        /// wrong.</summary>
        public HealthReport Check(CheckOptions options = null) => new HealthReport(Ask(native.eps_check, Options(options?.ToJson())));

        /// <summary>Returns the metrics of this client and its journal: OpenMetrics text.</summary>
        public string ReadMetrics()
        {
            try
            {
                return CheckedText(native, (out Native.Buffer buffer) => native.eps_read_metrics(client, out buffer));
            }
            finally
            {
                // The garbage collector must not close the client during its own call.
                GC.KeepAlive(handle);
            }
        }

        // --- The same calls as tasks -------------------------------------------------------------

        /// <summary>Calls <see cref="FindContact"/> on a thread of its own. The token
        /// ends this call and no other one.</summary>
        public Task<string> FindContactAsync(
            string key, string value, ContactOptions options = null, CancellationToken cancellation = default(CancellationToken)) =>
            Start(id => FindContact(key, value, Named(options, id)), cancellation);

        /// <summary>Calls <see cref="ListPoints"/> on a thread of its own. The token
        /// ends this call and no other one.</summary>
        public Task<IReadOnlyList<PointAccount>> ListPointsAsync(
            string contactId, CallOptions options = null, CancellationToken cancellation = default(CancellationToken)) =>
            Start(id => ListPoints(contactId, Named(options, id)), cancellation);

        /// <summary>Calls <see cref="ListItems"/> on a thread of its own. The token
        /// ends this call and no other one.</summary>
        public Task<IReadOnlyList<Item>> ListItemsAsync(
            string contactId, CallOptions options = null, CancellationToken cancellation = default(CancellationToken)) =>
            Start(id => ListItems(contactId, Named(options, id)), cancellation);

        /// <summary>Buys an item as <see cref="Purchase"/> does. No thread waits: the purchase is
        /// submitted, and its task ends when the library has its outcome. The token, and the end of
        /// the wait, end the task with PendingException; the purchase goes on.</summary>
        public Task<Operation> PurchaseAsync(
            string contactId, string itemId, PurchaseOptions options = null, CancellationToken cancellation = default(CancellationToken)) =>
            Spend(options, named => Purchase(contactId, itemId, named), submitted => submitted.Submit = true, options?.Submit ?? false, cancellation);

        /// <summary>Calls <see cref="ListPurchases"/> on a thread of its own. The token
        /// ends this call and no other one.</summary>
        public Task<IReadOnlyList<Purchase>> ListPurchasesAsync(
            string contactId, CallOptions options = null, CancellationToken cancellation = default(CancellationToken)) =>
            Start(id => ListPurchases(contactId, Named(options, id)), cancellation);

        /// <summary>Calls <see cref="ListRewards"/> on a thread of its own. The token
        /// ends this call and no other one.</summary>
        public Task<IReadOnlyList<Reward>> ListRewardsAsync(
            string contactId, RewardOptions options = null, CancellationToken cancellation = default(CancellationToken)) =>
            Start(id => ListRewards(contactId, Named(options, id)), cancellation);

        /// <summary>Calls <see cref="FindReward"/> on a thread of its own. The token
        /// ends this call and no other one.</summary>
        public Task<FoundReward> FindRewardAsync(
            string operationId, CallOptions options = null, CancellationToken cancellation = default(CancellationToken)) =>
            Start(id => FindReward(operationId, Named(options, id)), cancellation);

        /// <summary>Uses a reward as <see cref="RedeemReward"/> does, and waits as <see
        /// cref="PurchaseAsync"/> does.</summary>
        public Task<Operation> RedeemRewardAsync(
            string contactId, string assignmentId, RedeemOptions options = null, CancellationToken cancellation = default(CancellationToken)) =>
            Spend(options, named => RedeemReward(contactId, assignmentId, named), submitted => submitted.Submit = true, options?.Submit ?? false, cancellation);

        /// <summary>Calls <see cref="ResolvePending"/> on a thread of its own. The token
        /// ends this call and no other one.</summary>
        public Task<Resolution> ResolvePendingAsync(
            CallOptions options = null, CancellationToken cancellation = default(CancellationToken)) =>
            Start(id => ResolvePending(Named(options, id)), cancellation);

        /// <summary>Calls <see cref="Check(CheckOptions)"/> on a thread of its own. The token ends
        /// this call and no other one.</summary>
        public Task<HealthReport> CheckAsync(
            CheckOptions options = null, CancellationToken cancellation = default(CancellationToken)) =>
            Start(id => Check(Named(options, id)), cancellation);

        /// <summary>Opens a client on a thread of the pool.</summary>
        public static Task<Client> OpenAsync(Configuration configuration) => Task.Run(() => Open(configuration));

        /// <summary>Calls <see cref="ListUnacknowledged"/> on a thread of the pool.</summary>
        public Task<IReadOnlyList<Operation>> ListUnacknowledgedAsync(UnacknowledgedOptions options = null) =>
            Task.Run(() => ListUnacknowledged(options));

        /// <summary>Calls <see cref="GetOperation"/> on a thread of the pool.</summary>
        public Task<Operation> GetOperationAsync(string operationId) => Task.Run(() => GetOperation(operationId));

        /// <summary>Calls <see cref="Acknowledge"/> on a thread of the pool.</summary>
        public Task<Operation> AcknowledgeAsync(string operationId) => Task.Run(() => Acknowledge(operationId));

        /// <summary>Closes the client on a thread of the pool. `await using` calls it.</summary>
        public Task DisposeAsync() => Task.Run(() => Dispose());

        static int callNumbers;

        static string NextCall() => "dotnet-" + Native.Number(Interlocked.Increment(ref callNumbers));

        static T Named<T>(T options, string id) where T : CallOptions, new() => (T)(options ?? new T()).Named(id);

        PointShopException Cancelled() => Exception(native, Code.Cancelled, Json.Null, language);

        // A call waits for the network, so it has a thread of its own.
        Task<T> Start<T>(Func<string, T> call, CancellationToken cancellation)
        {
            if (cancellation.IsCancellationRequested) return Task.FromException<T>(Cancelled());
            var id = NextCall();
            var task = Task.Factory.StartNew(
                () => call(id), CancellationToken.None, TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach, TaskScheduler.Default);
            var registration = cancellation.Register(() => CancelUntil(id, task));
            task.ContinueWith(_ => registration.Dispose(), TaskContinuationOptions.ExecuteSynchronously);
            return task;
        }

        // eps_cancel_call has no effect on a call that has not entered the library yet, so it is
        // repeated until the task ends.
        async void CancelUntil(string id, Task task)
        {
            var name = Native.Bytes(id);
            while (!task.IsCompleted)
            {
                native.eps_cancel_call(client, name);
                await Task.WhenAny(task, Task.Delay(20)).ConfigureAwait(false);
            }
            GC.KeepAlive(this);
        }

        // Submits a purchase or a redeem, and waits for its outcome without a thread.
        async Task<Operation> Spend<T>(T options, Func<T, Operation> call, Action<T> submit, bool isSubmitted, CancellationToken cancellation)
            where T : CallOptions, new()
        {
            if (cancellation.IsCancellationRequested) throw Cancelled();
            var clock = Stopwatch.StartNew();
            var id = NextCall();
            var named = Named(options, id);
            submit(named);
            // Only until it is durable.
            var submitting = Task.Run(() =>
            {
                if (!changes.IsSet) Listen();
                return call(named);
            });
            Operation begun;
            using (cancellation.Register(() => CancelUntil(id, submitting))) begun = await submitting.ConfigureAwait(false);
            if (begun.Outcome != Outcome.Pending || isSubmitted) return begun;
            var changed = changes.Expect(begun.OperationId);
            try
            {
                // It may have got its outcome before it was expected.
                var last = await LastKnown(begun).ConfigureAwait(false);
                if (last.Outcome == Outcome.Pending && !last.NeedsReview)
                {
                    var left = (options?.Wait ?? wait) - clock.Elapsed;
                    using (var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellation))
                    {
                        var end = Task.Delay(left < TimeSpan.Zero ? TimeSpan.Zero : left, ended.Token);
                        await Task.WhenAny(changed, end).ConfigureAwait(false);
                        ended.Cancel();
                    }
                    if (!changed.IsCompleted)
                    {
                        var why = cancellation.IsCancellationRequested ? Code.PendingCancelled : Code.PendingWaitEnded;
                        throw Exception(native, why, last.Json, language);
                    }
                    last = await changed.ConfigureAwait(false);
                    if (last == null) throw Exception(native, Code.PendingClosed, begun.Json, language);
                }
                if (last.Outcome != Outcome.Completed) throw Exception(native, last.Code, last.Json, language);
                last.WasExisting = begun.Existing;
                return last;
            }
            finally
            {
                changes.Forget(begun.OperationId, changed);
                GC.KeepAlive(this);
            }
        }

        // A failure to read says nothing about the points: what was submitted stays pending.
        async Task<Operation> LastKnown(Operation begun)
        {
            try
            {
                return await GetOperationAsync(begun.OperationId).ConfigureAwait(false);
            }
            catch (PointShopException)
            {
                return begun;
            }
        }

        // --- Changes of operations ---------------------------------------------------------------

        // Who waits for which operation, and the POS's function.
        sealed class Changes
        {
            readonly object sync = new object();
            readonly Dictionary<string, List<TaskCompletionSource<Operation>>> expected = new Dictionary<string, List<TaskCompletionSource<Operation>>>();
            bool isClosed;
            internal volatile Action<Operation> Function;
            internal volatile bool IsSet;
            internal readonly int Number = Interlocked.Increment(ref functionNumbers);

            // Returns a task that ends with the operation's outcome, or with null at the close.
            internal Task<Operation> Expect(string id)
            {
                var source = new TaskCompletionSource<Operation>(TaskCreationOptions.RunContinuationsAsynchronously);
                lock (sync)
                {
                    if (isClosed) source.SetResult(null);
                    else if (expected.TryGetValue(id, out var sources)) sources.Add(source);
                    else expected[id] = new List<TaskCompletionSource<Operation>> { source };
                }
                return source.Task;
            }

            internal void Forget(string id, Task<Operation> task)
            {
                lock (sync)
                {
                    if (!expected.TryGetValue(id, out var sources)) return;
                    sources.RemoveAll(source => source.Task == task);
                    if (sources.Count == 0) expected.Remove(id);
                }
            }

            internal void Receive(Operation operation)
            {
                List<TaskCompletionSource<Operation>> sources = null;
                lock (sync)
                {
                    if (operation.Outcome != Outcome.Pending || operation.NeedsReview)
                    {
                        expected.TryGetValue(operation.OperationId, out sources);
                        expected.Remove(operation.OperationId);
                    }
                }
                foreach (var source in sources ?? new List<TaskCompletionSource<Operation>>()) source.TrySetResult(operation);
                Function?.Invoke(operation);
            }

            internal void Close()
            {
                List<TaskCompletionSource<Operation>> sources;
                lock (sync)
                {
                    isClosed = true;
                    sources = expected.Values.SelectMany(each => each).ToList();
                    expected.Clear();
                }
                foreach (var source in sources) source.TrySetResult(null);
            }
        }

        static int functionNumbers;
        static readonly Native.Change ChangeReceiver = ReceiveChange;
        static readonly ConcurrentDictionary<int, WeakReference<Changes>> AllChanges = new ConcurrentDictionary<int, WeakReference<Changes>>();

        /// <summary>Sets the function that receives each operation whose state has changed, on a
        /// thread of the library: first every operation that is not acknowledged. Null removes the
        /// function. Its exceptions are dropped. An earlier function that is running ends before
        /// the return, or within a second.</summary>
        public void SetNotify(Action<Operation> function)
        {
            changes.Function = function;
            // Also for null, because tasks may await their changes. The library waits for a
            // function that is running. No lock is held: that function may set another one.
            Listen();
        }

        void Listen()
        {
            changes.IsSet = true;
            Check(native.eps_set_notify(client, ChangeReceiver, (IntPtr)changes.Number));
        }

        static void ReceiveChange(IntPtr user, IntPtr json, UIntPtr length)
        {
            // No exception may enter the library.
            try
            {
                if (AllChanges.TryGetValue((int)user, out WeakReference<Changes> weak) && weak.TryGetTarget(out Changes changes))
                {
                    changes.Receive(new Operation(Json.Parse(Native.TextOf(json, (int)length))));
                }
            }
            catch (Exception)
            {
            }
        }

        // --- The log -----------------------------------------------------------------------------

        sealed class Log
        {
            internal readonly Action<LogLevel, string> Function;

            internal Log(Action<LogLevel, string> function)
            {
                Function = function;
            }
        }

        // The only delegate that the library receives. It is static, so that it is never collected.
        // It finds the log function by number. The reference is weak, so that a log function that
        // refers to its client does not keep the client open.
        static readonly Native.LogLine Receiver = Receive;
        static readonly ConcurrentDictionary<int, WeakReference<Log>> Logs = new ConcurrentDictionary<int, WeakReference<Log>>();
        static int logNumbers;

        /// <summary>Sets the function that receives each line of the log, as JSON, on a thread of
        /// the library. Null removes the function. Its exceptions are dropped.</summary>
        public void SetLog(LogLevel level, Action<LogLevel, string> function)
        {
            var number = 0;
            Log fresh = null;
            if (function != null)
            {
                number = Interlocked.Increment(ref logNumbers);
                fresh = new Log(function);
                foreach (var old in Logs)
                {
                    if (!old.Value.TryGetTarget(out _)) Logs.TryRemove(old.Key, out _);
                }
                Logs[number] = new WeakReference<Log>(fresh);
            }
            Check(native.eps_set_log(client, (int)level, function == null ? null : Receiver, (IntPtr)number));
            handle.Log = fresh;
        }

        static void Receive(IntPtr user, int level, IntPtr line, UIntPtr length)
        {
            // No exception may enter the library.
            try
            {
                if (Logs.TryGetValue((int)user, out WeakReference<Log> weak) && weak.TryGetTarget(out Log log))
                {
                    log.Function((LogLevel)level, Native.TextOf(line, (int)length));
                }
            }
            catch (Exception)
            {
            }
        }

        // --- One call ----------------------------------------------------------------------------

        static byte[] Text(string text, string argument) => Native.Bytes(text, argument);

        static byte[] Options(Dictionary<string, object> options) => options == null ? null : Native.Bytes(Json.Write(options));

        Json Ask(Native.Ask1 function, byte[] text) => Checked((out Native.Buffer buffer) => function(client, text, out buffer));

        Json Ask(Native.Ask2 function, byte[] text, CallOptions options)
        {
            var second = Options(options?.ToJson());
            return Checked((out Native.Buffer buffer) => function(client, text, second, out buffer));
        }

        Json Ask(Native.Ask3 function, byte[] text, byte[] second, CallOptions options)
        {
            var third = Options(options?.ToJson());
            return Checked((out Native.Buffer buffer) => function(client, text, second, third, out buffer));
        }

        IReadOnlyList<T> List<T>(Native.Ask2 function, string contactId, CallOptions options, Func<Json, T> element) =>
            Ask(function, Text(contactId, nameof(contactId)), options).Items.Select(element).ToList();

        Json Checked(Call call)
        {
            try
            {
                return Checked(native, call);
            }
            finally
            {
                // The garbage collector must not close the client during its own call.
                GC.KeepAlive(handle);
            }
        }

        // Makes a call and takes its text.
        static Code Made(Native native, Call call, out string text)
        {
            var code = (Code)call(out Native.Buffer buffer);
            try
            {
                text = Native.TextOf(buffer.Data, (int)buffer.Length);
            }
            finally
            {
                native.eps_buffer_dispose(ref buffer);
            }
            return code;
        }

        // The result of this call is a text, not JSON.
        static string CheckedText(Native native, Call call)
        {
            var code = Made(native, call, out string text);
            return code == Code.Ok ? text : throw Exception(native, code, text == "" ? Json.Null : Json.Parse(text));
        }

        static Json Checked(Native native, Call call)
        {
            var code = Made(native, call, out string text);
            Json json;
            try
            {
                json = text == "" ? Json.Null : Json.Parse(text);
            }
            catch (FormatException) when (code != Code.Ok)
            {
                json = Json.Null;
            }
            catch (FormatException)
            {
                // The call is completed but its JSON is unreadable: the outcome is pending, never
                // failed.
                code = Code.Internal;
                json = Json.Null;
            }
            return code == Code.Ok ? json : throw Exception(native, code, json);
        }

        void Check(int code)
        {
            GC.KeepAlive(handle);
            if (code != (int)Code.Ok) throw Exception(native, (Code)code, Json.Null, language);
        }

        // Returns the exception of a code. `known` is the library's problem object, an awaited
        // operation, or null.
        static PointShopException Exception(Native native, Code code, Json known, string language = null)
        {
            var name = Native.TextOf(native.eps_code_name((int)code));
            var outcome = (Outcome)native.eps_outcome((int)code);
            var problem = known["message"].IsNull ? OwnProblem(code, name, outcome, known, language) : known;
            switch (outcome)
            {
                case Outcome.Declined: return new DeclinedException(code, name, problem);
                case Outcome.NotSent: return new NotSentException(code, name, problem);
                default: return new PendingException(code, name, problem);
            }
        }

        // Returns the problem object that the library would have made.
        static Json OwnProblem(Code code, string name, Outcome outcome, Json operation, string language)
        {
            if (!Texts.Of.TryGetValue(language ?? "en", out string[] texts)) texts = Texts.Of["en"];
            var at = outcome == Outcome.Pending ? 4 : ActionOf(code) == CodeAction.Retry ? 0 : 2;
            var problem = new Dictionary<string, object>
            {
                ["httpStatus"] = Json.Null, ["engageCode"] = Json.Null, ["operationId"] = Json.Null, ["purchaseId"] = Json.Null,
                ["attempts"] = 0, ["retryAfterMs"] = Json.Null, ["cause"] = new string[0],
                ["forCashier"] = texts[at], ["forMember"] = texts[at + 1],
            };
            foreach (var key in problem.Keys.Where(key => !operation[key].IsNull).ToList()) problem[key] = operation[key];
            problem["code"] = (int)code;
            problem["name"] = name;
            problem["outcome"] = ListOptions.NameOf(outcome);
            problem["message"] = MeaningOf(code);
            if (!operation.IsNull) problem["operation"] = operation;
            return Json.Parse(Json.Write(problem));
        }
    }
}
