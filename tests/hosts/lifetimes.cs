// The lifetimes of clients, log functions and tasks in a C# host. Arguments and output: see
// lifetimes.c.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Runtime.CompilerServices;
using System.Threading;
using System.Threading.Tasks;
using EngagePointShop;

static class Lifetimes
{
    const string Astrid = "a0000000-0000-4000-8000-000000000001";
    // Every request for this member stalls.
    const string Bjorn = "a0000000-0000-4000-8000-000000000002";
    const string Coffee = "b0000000-0000-4000-8000-000000000001";

    static string[] given;
    static int held;

    static void Check(bool holds, string what)
    {
        if (!holds)
        {
            Console.Error.WriteLine("does not hold: " + what);
            Environment.Exit(1);
        }
        Interlocked.Increment(ref held);
    }

    static void Throws<T>(Code code, Action call) where T : PointShopException
    {
        try
        {
            call();
        }
        catch (T problem)
        {
            Check(problem.Code == code, code + " was due, not " + problem.Message);
            foreach (var key in new[] { "code", "name", "outcome", "message", "attempts", "forCashier", "forMember" })
            {
                Check(!problem.Problem[key].IsNull, "the problem object of " + code + " has " + key);
            }
            Check(problem.Problem["code"].Integer == (int)code && problem.Problem["name"].Text == problem.Name, "and is of this code");
            return;
        }
        catch (AggregateException several)
        {
            Throws<T>(code, () => throw several.InnerException);
            return;
        }
        Check(false, code + " was due");
    }

    static Client Open(string journal = "points.db", string language = null) => Client.Open(new Dictionary<string, object>
    {
        ["baseUrl"] = given[0], ["caFile"] = given[1], ["apiKey"] = given[2], ["userAgent"] = "Host/1",
        ["journalPath"] = Path.Combine(given[3], journal), ["waitMs"] = 60000, ["language"] = language,
    });

    // Returns whether this process has the journal open: its shared memory is mapped.
    static bool IsOpen(string journal) => File.ReadAllText("/proc/self/maps").Contains(journal + "-shm");

    static void Eventually(Func<bool> holds, string what)
    {
        var until = DateTime.UtcNow.AddSeconds(10);
        while (!holds() && DateTime.UtcNow < until) Thread.Yield();
        Check(holds(), what);
    }

    // Returns whether the sandbox got such a request.
    static bool HasArrived(string path)
    {
        var requests = Json.Parse(new WebClient().DownloadString(given[4] + "/_sandbox/requests"));
        return requests.Items.Any(request => request["path"].Text.Contains(path) && request["contactId"].Text == Bjorn);
    }

    static void Closing()
    {
        Client first = Open(), second = Open();
        first.Dispose();
        first.Dispose();
        Check(second.Purchase(Astrid, Coffee, new PurchaseOptions { Reference = "cs 1" }).Outcome == Outcome.Completed, "the other goes on");
        Throws<NotSentException>(Code.Closed, () => first.ListPoints(Astrid));
        Throws<NotSentException>(Code.Closed, () => first.ListOperations());
        Throws<NotSentException>(Code.Closed, () => first.AcknowledgeReference("cs 1"));
        Throws<NotSentException>(Code.Closed, () => first.ResolveReview(Astrid, "completed"));
        Throws<NotSentException>(Code.Closed, () => first.BackupJournal("/copy.db"));
        Check(IsOpen("points.db"), "a client that is open has its journal");
        second.Dispose();
        Eventually(() => !IsOpen("points.db"), "and lets go of it");
        Throws<NotSentException>(Code.Closed, () => second.SetLog(LogLevel.Info, (level, line) => { }));
        Throws<NotSentException>(Code.Closed, () => second.SetNotify(operation => { }));
        Throws<NotSentException>(Code.Closed, () => second.Cancel());
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Check(second.Equals(second), "a finalizer after Dispose");
    }

    // On a thread that ends, so that no stack refers to the client.
    static void OnAThread(Action action)
    {
        var thread = new Thread(() => action());
        thread.Start();
        thread.Join();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static void Forget(string journal)
    {
        var shop = Open(journal);
        // A log function that refers to its client does not keep it open.
        shop.SetLog(LogLevel.Debug, (level, line) => shop.ToString());
        shop.ListPoints(Astrid);
    }

    static void Collecting()
    {
        OnAThread(() => Forget("collected.db"));
        Eventually(() =>
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return !IsOpen("collected.db");
        }, "a client that is forgotten is closed");
    }

    static void Logging()
    {
        using (var shop = Open())
        {
            var lines = 0;
            shop.SetLog(LogLevel.Debug, (level, line) =>
            {
                Interlocked.Increment(ref lines);
                throw new InvalidOperationException("from a log function");
            });
            for (var round = 0; round < 50; round++)
            {
                shop.ListPoints(Astrid);
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
            Eventually(() => lines >= 50, "every line comes, whatever is collected meanwhile, and whatever is thrown");
            shop.SetLog(LogLevel.Off, null);
        }
    }

    static void Waiting()
    {
        var shop = Open("waiting.db");
        var reading = shop.ListItemsAsync(Bjorn);
        Check(shop.ListItems(Astrid).Count > 0, "another call returns meanwhile");
        using (var cancel = new CancellationTokenSource())
        {
            var buying = shop.PurchaseAsync(Bjorn, Coffee, null, cancel.Token);
            Eventually(() => HasArrived("point-shop-items/purchase"), "a purchase is under way");
            cancel.Cancel();
            Throws<PendingException>(Code.PendingCancelled, () => buying.Wait());
            Check(!reading.IsCompleted, "a cancellation belongs to one call");
            var late = new PurchaseOptions { Reference = "cs 2" };
            Throws<NotSentException>(Code.Cancelled, () => shop.PurchaseAsync(Astrid, Coffee, late, cancel.Token).Wait());
            using (var swedish = Open("waiting.db", "sv"))
            {
                try
                {
                    swedish.ListItemsAsync(Astrid, null, cancel.Token).Wait();
                }
                catch (AggregateException problem)
                {
                    var text = ((NotSentException)problem.InnerException).ForCashier;
                    Check(text.StartsWith("Det avbröts."), "in the language of the configuration: " + text);
                }
            }
            Check(shop.ListUnacknowledged().Count == 1, "a call that is cancelled before it is made is not made");
        }
        using (var cancel = new CancellationTokenSource())
        {
            var early = shop.ListItemsAsync(Bjorn, null, cancel.Token);
            cancel.Cancel();
            Throws<NotSentException>(Code.Cancelled, () => early.Wait());
        }
        var purchase = shop.PurchaseAsync(Bjorn, Coffee, new PurchaseOptions { Reference = "cs closed" });
        Eventually(() => shop.ListUnacknowledged().Count == 2, "another purchase is under way");
        shop.DisposeAsync().Wait();
        Throws<NotSentException>(Code.Closed, () => reading.Wait());
        Throws<PendingException>(Code.PendingClosed, () => purchase.Wait());
    }

    // Closes the client at many moments of a purchase. What was sent is never reported as not sent.
    static void ClosingInAPurchase()
    {
        for (var round = 0; round < 24; round++)
        {
            var journal = "closing" + round + ".db";
            var shop = Open(journal);
            var purchase = shop.PurchaseAsync(Bjorn, Coffee, new PurchaseOptions { Reference = "cs closing" });
            // At once when it is durable, or at a moment of its own.
            if (round % 2 == 1) while (shop.ListUnacknowledged().Count == 0) { }
            else System.Threading.Thread.SpinWait(round * 20000);
            shop.Dispose();
            try
            {
                purchase.Wait();
                Check(false, "the server holds the purchase");
            }
            catch (AggregateException problem)
            {
                var inner = problem.InnerException;
                Check(inner is PointShopException, "a task of a closed client ends: " + inner);
                using (var again = Open(journal))
                {
                    var isPending = again.ListUnacknowledged().Any(each => each.Outcome == Outcome.Pending);
                    Check(!isPending || inner is PendingException, "a pending purchase is reported as pending: " + inner.Message);
                }
            }
        }
    }

    static void Submitting()
    {
        // As a POS that replaces the client in its tests.
        using (IEngageClient shop = Open("submitting.db"))
        {
            var changes = new System.Collections.Concurrent.ConcurrentQueue<Operation>();
            shop.SetNotify(changes.Enqueue);
            var bought = shop.PurchaseAsync(Astrid, Coffee, new PurchaseOptions { Reference = "cs async" }).Result;
            Check(bought.Outcome == Outcome.Completed && !bought.Existing, "a task ends with the outcome");
            var again = shop.PurchaseAsync(Astrid, Coffee, new PurchaseOptions { Reference = "cs async" }).Result;
            Check(again.OperationId == bought.OperationId && again.Existing, "the same press is the same purchase");
            Eventually(() => changes.Any(each => each.OperationId == bought.OperationId && each.Outcome == Outcome.Completed), "it is reported");
            var submitted = shop.Purchase(Bjorn, Coffee, new PurchaseOptions { Reference = "cs submitted", Submit = true });
            Check(submitted.Outcome == Outcome.Pending, "a submitted purchase is returned while it is pending");
            var waited = new PurchaseOptions { Reference = "cs submitted", Wait = TimeSpan.FromMilliseconds(50) };
            Throws<PendingException>(Code.PendingWaitEnded, () => shop.PurchaseAsync(Bjorn, Coffee, waited).Wait());
            Check(shop.AcknowledgeAsync(bought.OperationId).Result.AcknowledgedAt != null, "an outcome is acknowledged");
            // The functions of a client that is forgotten are collected with it.
            shop.SetNotify(null);
        }
        var made = new PendingException(Code.Pending, "EPS_PENDING", Json.Parse("{\"operationId\":\"x\"}"));
        Check(made.OperationId == "x" && made.Explanation != null, "a test of a POS makes its own exceptions");
    }

    // A function that was removed is not running any more, so that its window can be destroyed.
    static void Removing()
    {
        using (var shop = Open("removing.db"))
        using (var begun = new ManualResetEventSlim())
        using (var removing = new ManualResetEventSlim())
        {
            var ended = 0;
            shop.SetNotify(operation =>
            {
                begun.Set();
                removing.Wait();
                for (var round = 0; round < 20; round++) shop.ListUnacknowledged();
                Interlocked.Increment(ref ended);
            });
            shop.Purchase(Astrid, Coffee, new PurchaseOptions { Reference = "cs removed" });
            begun.Wait();
            removing.Set();
            shop.SetNotify(null);
            Check(Volatile.Read(ref ended) == 1, "a removal waits for the function that is running");
            var purchase = shop.PurchaseAsync(Astrid, Coffee, new PurchaseOptions { Reference = "cs still awaited" });
            shop.SetNotify(null);
            Check(purchase.Result.Outcome == Outcome.Completed, "a task gets its outcome all the same");
            // A function may remove itself: it does not wait for itself.
            var count = 0;
            shop.SetNotify(operation =>
            {
                shop.SetNotify(null);
                Interlocked.Increment(ref count);
            });
            Eventually(() => Volatile.Read(ref count) == 1, "a function removes itself");
        }
    }

    static void Checking()
    {
        using (var echo = Client.Open(new Dictionary<string, object> { ["baseUrl"] = "echo:", ["userAgent"] = "Host/1" }))
        using (var cancel = new CancellationTokenSource())
        {
            var made = echo.CheckAsync(new CheckOptions { Offline = true }, cancel.Token).Result.Json;
            var options = Json.Parse(made["arguments"].Items.Single().Text);
            Check(made["function"].Text == "eps_check" && options["offline"].Flag == true, "a task checks the till");
            Check(options["callId"].Text != null, "and has a name, by which its token ends it");
            cancel.Cancel();
            Throws<NotSentException>(Code.Cancelled, () => echo.CheckAsync(null, cancel.Token).Wait());
        }
    }

    // The queue of a user interface's thread, as WinForms has one.
    sealed class Window : SynchronizationContext
    {
        readonly System.Collections.Concurrent.BlockingCollection<Action> queue = new System.Collections.Concurrent.BlockingCollection<Action>();

        public override void Post(SendOrPostCallback function, object state) => queue.Add(() => function(state));

        public void Run(Func<System.Threading.Tasks.Task> begin)
        {
            var before = Current;
            SetSynchronizationContext(this);
            var task = begin();
            task.ContinueWith(_ => queue.CompleteAdding());
            foreach (var action in queue.GetConsumingEnumerable()) action();
            SetSynchronizationContext(before);
            task.Wait();
        }
    }

    static void UserInterface()
    {
        using (var shop = Open("window.db"))
        {
            new Window().Run(async () =>
            {
                var thread = Thread.CurrentThread.ManagedThreadId;
                var stalled = shop.PurchaseAsync(Bjorn, Coffee, new PurchaseOptions { Reference = "cs window 1" });
                var bought = await shop.PurchaseAsync(Astrid, Coffee, new PurchaseOptions { Reference = "cs window 2" });
                Check(bought.Outcome == Outcome.Completed && !stalled.IsCompleted, "the window's thread waits for no purchase");
                Check(Thread.CurrentThread.ManagedThreadId == thread, "and gets the outcome");
            });
        }
    }

    static void Cultures()
    {
        var odd = (System.Globalization.CultureInfo)System.Globalization.CultureInfo.InvariantCulture.Clone();
        odd.NumberFormat.NegativeSign = "minus";
        var before = Thread.CurrentThread.CurrentCulture;
        Thread.CurrentThread.CurrentCulture = odd;
        try
        {
            var shop = Open();
            shop.Dispose();
            try
            {
                shop.ListPoints(Astrid);
            }
            catch (NotSentException problem)
            {
                Check(problem.Message.Contains("(-107)"), "a message is the same in every culture: " + problem.Message);
            }
        }
        finally
        {
            Thread.CurrentThread.CurrentCulture = before;
        }
    }

    static void Texts()
    {
        using (var shop = Open())
        {
            foreach (var wrong in new[] { "a\0b", "\ud800" })
            {
                try
                {
                    shop.FindContact("email", wrong);
                    Check(false, "a text that cannot be UTF-8 with a NUL behind");
                }
                catch (ArgumentException)
                {
                    Check(true, "is an error");
                }
            }
            Throws<NotSentException>(Code.NullArgument, () => shop.FindContact(null, "x"));
        }
        foreach (var text in new[] { "", "{", "[1,]", "{\"a\"}", "\"\\x\"", "\"\\u12\"", "\"a", "tru", "-", "1 2", "{}x", new string('[', 9999) })
        {
            try
            {
                Json.Parse(text);
                Check(false, "not JSON: " + text);
            }
            catch (FormatException)
            {
                Check(true, "is an error");
            }
        }
        const string Whole = "{\"a\":[1,-2.5e3,true,false,null,\"\\\"å\\\\😀\"],\"b\":{},\"c\":[]}";
        Check(Json.Write(Json.Parse(" " + Whole.Replace("å", "\\u00e5").Replace(",", " ,\n") + "\t")) == Whole, "read and written");
        Check(Json.Parse(Whole)["a"].Items[1].Number == -2500m && Json.Parse(Whole)["x"]["y"].Items.Count == 0, "and members are read");
    }

    static int Main(string[] words)
    {
        given = words;
        if (words.Length == 0)
        {
            // Whether the library is found: the tests put wrong libraries of every kind beside this
            // program.
            try
            {
                Console.WriteLine(Client.LibraryVersion);
                return 0;
            }
            catch (LibraryException problem)
            {
                Console.WriteLine(problem.Message);
                return 3;
            }
        }
        Closing();
        Collecting();
        Logging();
        Waiting();
        ClosingInAPurchase();
        Submitting();
        Removing();
        Checking();
        UserInterface();
        Cultures();
        Texts();
        // Left open with a log function, and with a task in a call: the process still ends cleanly.
        var left = Open();
        left.SetLog(LogLevel.Debug, (level, line) => { });
        left.ListItemsAsync(Bjorn);
        left.ListPoints(Astrid);
        Console.WriteLine(held + " checks held");
        return 0;
    }
}
