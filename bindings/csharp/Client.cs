// The client. Each method is the function of engage_point_shop.h with the same name; what it does stands there.

using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;

namespace EngagePointShop
{
    /// <summary>
    /// A client of one Engage tenant. Any thread may call any method at any time, Dispose too: calls that wait return.
    /// A call that is not done throws <see cref="DeclinedException"/>, <see cref="NotSentException"/> or
    /// <see cref="PendingException"/>. A client that is forgotten is closed by the collector.
    /// </summary>
    /// <remarks>
    /// A CancellationToken ends the wait, not the purchase: the task ends within 50 ms with NotSentException if it is certain that
    /// nothing was sent, else with PendingException; never with OperationCanceledException, which would not say which. Cancelling
    /// is a client's (eps_cancel): other calls that wait on the same client at that moment end too. Who needs to cancel one of several
    /// opens a client for each; several may share a journal.
    /// </remarks>
    public sealed class Client : IDisposable
    {
        /// <summary>The client as the library knows it: a number, which is never used again, so a late call does no harm.</summary>
        sealed class Handle : SafeHandle
        {
            readonly Native native;
            // What keeps the log function alive: this, until the client is closed.
            internal Log Log;

            internal Handle(Native native, IntPtr client) : base(IntPtr.Zero, true)
            {
                this.native = native;
                SetHandle(client);
                OpenClients[client] = native;
            }

            public override bool IsInvalid => handle == IntPtr.Zero;

            protected override bool ReleaseHandle()
            {
                OpenClients.TryRemove(handle, out _);
                return native.eps_client_close(handle) == (int)Code.Ok;
            }
        }

        // By number, so that it keeps no client alive.
        static readonly ConcurrentDictionary<IntPtr, Native> OpenClients = new ConcurrentDictionary<IntPtr, Native>();

        // A runtime that ends waits for the threads that are in managed code or came from it: for calls that wait, and for the log's.
        static Client()
        {
            EventHandler close = (sender, e) =>
            {
                foreach (var open in OpenClients) open.Value.eps_client_close(open.Key);
            };
            AppDomain.CurrentDomain.ProcessExit += close;
            AppDomain.CurrentDomain.DomainUnload += close;
        }

        delegate int Call(out Native.Buffer answer);

        readonly Native native;
        readonly Handle handle;
        // The number again: a call after Dispose is answered by the library.
        readonly IntPtr client;

        Client(Native native, IntPtr client)
        {
            this.native = native;
            this.client = client;
            handle = new Handle(native, client);
        }

        /// <summary>The native library's version.</summary>
        public static string LibraryVersion => Native.TextOf(Native.Library.eps_version());

        /// <summary>A fresh purchase id, to be stored before it is used.</summary>
        public static string NewId()
        {
            var native = Native.Library;
            return Answered(native, (out Native.Buffer answer) => native.eps_new_id(out answer)).Text;
        }

        /// <summary>Opens a client. The keys are the header's; one that is null is left out. Does not touch the network.</summary>
        /// <exception cref="LibraryException">The native library is missing or does not fit.</exception>
        public static Client Open(Dictionary<string, object> configuration)
        {
            var native = Native.Library;
            var config = Native.Bytes(Json.Write(configuration));
            var client = IntPtr.Zero;
            Answered(native, (out Native.Buffer answer) => native.eps_client_open(Abi.Version, config, out client, out answer));
            return new Client(native, client);
        }

        /// <summary>Ends every call and closes, within two seconds. What is pending is settled after the next open.</summary>
        public void Dispose()
        {
            handle.Dispose();
            handle.Log = null;
        }

        /// <summary>Makes every call that now waits on this client return, with what is true of it.</summary>
        public void Cancel() => Check(native.eps_cancel(client));

        public string FindContact(string key, string value, ContactOptions options = null) =>
            Ask(native.eps_find_contact, Text(key, nameof(key)), Text(value, nameof(value)), options).Text;

        public IReadOnlyList<PointAccount> ListPoints(string contactId, CallOptions options = null) =>
            List(native.eps_list_points, contactId, options, json => new PointAccount(json));

        public IReadOnlyList<Item> ListItems(string contactId, CallOptions options = null) =>
            List(native.eps_list_items, contactId, options, json => new Item(json));

        /// <summary>Returns when it is bought.</summary>
        /// <exception cref="PendingException">Not known yet: let the sale go on, look at ListUnacknowledged later.</exception>
        /// <exception cref="DeclinedException">Engage's definite no: nothing was deducted.</exception>
        /// <exception cref="NotSentException">Nothing left the till: it may be tried again.</exception>
        public Operation Purchase(string contactId, string itemId, PurchaseOptions options = null) =>
            new Operation(Ask(native.eps_purchase, Text(contactId, nameof(contactId)), Text(itemId, nameof(itemId)), options));

        public IReadOnlyList<Purchase> ListPurchases(string contactId, CallOptions options = null) =>
            List(native.eps_list_purchases, contactId, options, json => new Purchase(json));

        public IReadOnlyList<Reward> ListRewards(string contactId, RewardOptions options = null) =>
            List(native.eps_list_rewards, contactId, options, json => new Reward(json));

        /// <summary>Which reward a purchase that is done gave.</summary>
        public FoundReward FindReward(string operationId, CallOptions options = null) =>
            new FoundReward(Ask(native.eps_find_reward, Text(operationId, nameof(operationId)), options));

        /// <summary>Returns when the reward is used. <paramref name="contactId"/> may be null.</summary>
        /// <exception cref="PendingException">Not known yet: let the sale go on, look at ListUnacknowledged later.</exception>
        /// <exception cref="DeclinedException">It was not used by this.</exception>
        /// <exception cref="NotSentException">Nothing left the till: it may be tried again.</exception>
        public Operation RedeemReward(string contactId, string assignmentId, RedeemOptions options = null) => new Operation(
            Ask(native.eps_redeem_reward, Text(contactId, nameof(contactId)), Text(assignmentId, nameof(assignmentId)), options));

        public IReadOnlyList<Operation> ListUnacknowledged() =>
            Ask(native.eps_list_unacknowledged, null)["operations"].Items.Select(json => new Operation(json)).ToList();

        public Operation GetOperation(string operationId) => new Operation(Ask(native.eps_get_operation, Text(operationId, nameof(operationId))));

        public Resolution ResolvePending(CallOptions options = null) => new Resolution(Ask(native.eps_resolve_pending, Options(options)));

        public Operation Acknowledge(string operationId) => new Operation(Ask(native.eps_acknowledge, Text(operationId, nameof(operationId))));

        public Json ReadStats() => Answered((out Native.Buffer answer) => native.eps_read_stats(client, out answer));

        // --- The same as tasks: each waits on a thread of its own --------------------------------------------------------

        public Task<string> FindContactAsync(
            string key, string value, ContactOptions options = null, CancellationToken cancellation = default(CancellationToken)) =>
            Start(() => FindContact(key, value, options), cancellation);

        public Task<IReadOnlyList<PointAccount>> ListPointsAsync(
            string contactId, CallOptions options = null, CancellationToken cancellation = default(CancellationToken)) =>
            Start(() => ListPoints(contactId, options), cancellation);

        public Task<IReadOnlyList<Item>> ListItemsAsync(
            string contactId, CallOptions options = null, CancellationToken cancellation = default(CancellationToken)) =>
            Start(() => ListItems(contactId, options), cancellation);

        public Task<Operation> PurchaseAsync(
            string contactId, string itemId, PurchaseOptions options = null, CancellationToken cancellation = default(CancellationToken)) =>
            Start(() => Purchase(contactId, itemId, options), cancellation);

        public Task<IReadOnlyList<Purchase>> ListPurchasesAsync(
            string contactId, CallOptions options = null, CancellationToken cancellation = default(CancellationToken)) =>
            Start(() => ListPurchases(contactId, options), cancellation);

        public Task<IReadOnlyList<Reward>> ListRewardsAsync(
            string contactId, RewardOptions options = null, CancellationToken cancellation = default(CancellationToken)) =>
            Start(() => ListRewards(contactId, options), cancellation);

        public Task<FoundReward> FindRewardAsync(
            string operationId, CallOptions options = null, CancellationToken cancellation = default(CancellationToken)) =>
            Start(() => FindReward(operationId, options), cancellation);

        public Task<Operation> RedeemRewardAsync(
            string contactId, string assignmentId, RedeemOptions options = null, CancellationToken cancellation = default(CancellationToken)) =>
            Start(() => RedeemReward(contactId, assignmentId, options), cancellation);

        public Task<Resolution> ResolvePendingAsync(CallOptions options = null, CancellationToken cancellation = default(CancellationToken)) =>
            Start(() => ResolvePending(options), cancellation);

        Task<T> Start<T>(Func<T> call, CancellationToken cancellation)
        {
            if (cancellation.IsCancellationRequested)
            {
                return Task.FromException<T>(
                    new NotSentException(Code.Cancelled, "EPS_CANCELLED", Json.Parse("{\"message\":\"cancelled before the call was made\"}")));
            }
            var task = Task.Factory.StartNew(
                call, CancellationToken.None, TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach, TaskScheduler.Default);
            var registration = cancellation.Register(() => CancelUntil(task));
            task.ContinueWith(_ => registration.Dispose(), TaskContinuationOptions.ExecuteSynchronously);
            return task;
        }

        // eps_cancel does not touch a call that has not arrived in the library yet: again, until this one is over.
        async void CancelUntil(Task task)
        {
            while (!task.IsCompleted)
            {
                native.eps_cancel(client);
                await Task.WhenAny(task, Task.Delay(20)).ConfigureAwait(false);
            }
            GC.KeepAlive(this);
        }

        // --- The log -----------------------------------------------------------------------------------------------------

        sealed class Log
        {
            internal readonly Action<LogLevel, string> Function;

            internal Log(Action<LogLevel, string> function)
            {
                Function = function;
            }
        }

        // The one delegate that the library ever gets: static, so it is never collected. It finds the real one by its number, and
        // weakly, so that a log function which refers to its client does not keep it open.
        static readonly Native.LogLine Receiver = Receive;
        static readonly ConcurrentDictionary<int, WeakReference<Log>> Logs = new ConcurrentDictionary<int, WeakReference<Log>>();
        static int logNumbers;

        /// <summary>Gives each line of the log, JSON, to <paramref name="function"/> on a thread of the library's own; null
        /// removes it. What it throws is dropped.</summary>
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
            // Nothing may be thrown into the library.
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

        // --- One call ----------------------------------------------------------------------------------------------------

        static byte[] Text(string text, string argument) => Native.Bytes(text, argument);

        static byte[] Options(CallOptions options) => options == null ? null : Native.Bytes(Json.Write(options.ToJson()));

        Json Ask(Native.Ask1 function, byte[] text) => Answered((out Native.Buffer answer) => function(client, text, out answer));

        Json Ask(Native.Ask2 function, byte[] text, CallOptions options)
        {
            var second = Options(options);
            return Answered((out Native.Buffer answer) => function(client, text, second, out answer));
        }

        Json Ask(Native.Ask3 function, byte[] text, byte[] second, CallOptions options)
        {
            var third = Options(options);
            return Answered((out Native.Buffer answer) => function(client, text, second, third, out answer));
        }

        IReadOnlyList<T> List<T>(Native.Ask2 function, string contactId, CallOptions options, Func<Json, T> element) =>
            Ask(function, Text(contactId, nameof(contactId)), options).Items.Select(element).ToList();

        Json Answered(Call call)
        {
            try
            {
                return Answered(native, call);
            }
            finally
            {
                // The collector must not close the client under a call of its own.
                GC.KeepAlive(handle);
            }
        }

        static Json Answered(Native native, Call call)
        {
            var code = (Code)call(out Native.Buffer buffer);
            string text;
            try
            {
                text = Native.TextOf(buffer.Data, (int)buffer.Length);
            }
            finally
            {
                native.eps_buffer_dispose(ref buffer);
            }
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
                // It is done, and what was done cannot be told: that is not known, never failed.
                code = Code.Internal;
                json = Json.Null;
            }
            return code == Code.Ok ? json : throw Exception(native, code, json);
        }

        void Check(int code)
        {
            GC.KeepAlive(handle);
            if (code != (int)Code.Ok) throw Exception(native, (Code)code, Json.Null);
        }

        static PointShopException Exception(Native native, Code code, Json problem)
        {
            var name = Native.TextOf(native.eps_code_name((int)code));
            switch ((Outcome)native.eps_outcome((int)code))
            {
                case Outcome.Declined: return new DeclinedException(code, name, problem);
                case Outcome.NotSent: return new NotSentException(code, name, problem);
                default: return new PendingException(code, name, problem);
            }
        }
    }
}
