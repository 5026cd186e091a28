// The package EngageSandbox as a POS vendor's tests use it: prints "held" and ends with 0.

using System;
using System.IO;
using EngagePointShop;
using EngagePointShop.Testing;

static class SandboxTest
{
    const string Astrid = "a0000000-0000-4000-8000-000000000001", Coffee = "b0000000-0000-4000-8000-000000000001";

    static void Check(bool holds, string what)
    {
        if (holds) return;
        Console.Error.WriteLine("not so: " + what);
        Environment.Exit(1);
    }

    static int Deductions(EngageSandbox engage) => engage.Ledger().Split(new[] { "\"deduct\"" }, StringSplitOptions.None).Length - 1;

    static string Buy(Client shop, string reference)
    {
        try
        {
            shop.Purchase(Astrid, Coffee, new PurchaseOptions { Reference = reference, Wait = TimeSpan.FromSeconds(20) });
            return "completed";
        }
        catch (PendingException pending) { return pending.Code.ToString(); }
    }

    static void Main(string[] arguments)
    {
        string url, ca;
        using (var engage = new EngageSandbox())
        {
            url = engage.HttpUrl;
            ca = engage.CaFile;
            using (var shop = Client.Open(engage.Configuration(Path.Combine(arguments[0], "points.db"))))
            {
                Check(Buy(shop, "receipt 1") == "completed", "a purchase is completed");
                Check(Deductions(engage) == 1, "the ledger has the purchase");
                engage.Arm("purchase", "{\"status\": {\"status\": 503}}", 0);
                Check(Buy(shop, "receipt 2") == "PendingServerError", "an armed fault strikes");
                Check(Deductions(engage) == 1, "the ledger has no other purchase");
                engage.Clear();
                Check(engage.Get("/_sandbox/faults") == "[]", "no fault is armed any more");
            }
            engage.Reset();
            Check(engage.Ledger() == "[]", "a reset empties the ledger");
            try
            {
                engage.Arm("purchase", "nonsense");
                Check(false, "an unknown effect is an error");
            }
            catch (SandboxException problem) { Check(problem.Message.Contains("the effect nonsense is unknown"), problem.Message); }
            using (var other = new EngageSandbox()) Check(other.Url != engage.Url, "two sandboxes are apart");
            engage.Dispose();
        }
        Check(!File.Exists(ca), "the files are deleted");
        try
        {
            new System.Net.WebClient { Proxy = null }.DownloadString(url);
            Check(false, "the sandbox has ended");
        }
        catch (System.Net.WebException) { }
        try
        {
            new EngageSandbox(Path.Combine(arguments[0], "missing"));
            Check(false, "a missing program is an error");
        }
        catch (SandboxException) { }
        Console.WriteLine("held");
    }
}
