// A till that sells rewards for points: what a POS vendor would write in C#. Word for word the till of examples/c, which tells its
// options and exit codes.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using EngagePointShop;

static class Till
{
    const int Bought = 0, Failed = 1, Usage = 2, Declined = 10, Pending = 11, NotSent = 12;

    // --- Small helpers ---------------------------------------------------------------------------------------------------

    /// <summary>Tells the technician what is wrong: the code's name, the message, and every link of the cause.</summary>
    static void ShowProblem(string what, PointShopException problem)
    {
        Console.Error.WriteLine(what + ": " + problem.Message);
        foreach (var cause in problem.Causes) Console.Error.WriteLine("    because: " + cause);
        if (problem.HttpStatus != null) Console.Error.WriteLine(("    HTTP status " + problem.HttpStatus + " " + problem.EngageCode).TrimEnd());
    }

    /// <summary>Tells the cashier what came of a call. The band says what to do next ...</summary>
    static void TellCashier(PointShopException problem)
    {
        switch ((int)problem.Code / 100)
        {
            case -1: // a mistake in this program
                Console.WriteLine("==> The till made a mistake. Nothing was sent. Call the till's vendor.");
                break;
            case -2: // configuration or credentials; also Engage's 401 and 403
                Console.WriteLine("==> The till is not set up right. No points were deducted. Call the administrator.");
                break;
            case -3: // Engage's definite no
                Console.WriteLine("==> The purchase was refused. No points were deducted. Tell the member.");
                break;
            case -4: // it is certain that nothing was sent
                Console.WriteLine("==> Nothing was sent. You may try again.");
                break;
            case -5: // not known yet; a new press joins it, it never deducts twice
                Console.WriteLine("==> Not known yet. Let the sale go on; the till finds out by itself.");
                break;
            case -6: // the journal: no purchase is sent that could not be written down before
                Console.WriteLine("==> The till cannot keep its journal. Nothing was sent. Call the administrator.");
                break;
            default: // a fault of the library, or a band that is younger than this program: never call it failed
                Console.WriteLine("==> Not known yet. Let the sale go on, and call the administrator.");
                break;
        }
    }

    /// <summary>... and its kind says what it means for the points, also for codes that are younger than this program.</summary>
    static int ExitCode(PointShopException problem) =>
        problem is DeclinedException ? Declined : problem is NotSentException ? NotSent : Pending;

    static string Points(decimal points) => points.ToString("F0", CultureInfo.InvariantCulture);

    // --- The steps of a sale ---------------------------------------------------------------------------------------------

    /// <summary>Says that the till has noted an outcome. Should it fail, the operation simply shows up again at the next start.</summary>
    static void Acknowledge(Client shop, string operationId)
    {
        try
        {
            shop.Acknowledge(operationId);
        }
        catch (PointShopException problem)
        {
            ShowProblem("cannot acknowledge", problem);
        }
    }

    static void PrintLine(string what, string text)
    {
        if (!string.IsNullOrEmpty(text)) Console.WriteLine("    " + what + text);
    }

    /// <summary>Finds the reward that a purchase gave and prints it for the member. Its assignment's id; null if it is not certain.</summary>
    static string PrintReward(Client shop, string operationId)
    {
        try
        {
            var found = shop.FindReward(operationId);
            if (found.AssignmentId == null)
            {
                Console.WriteLine("The reward cannot be told yet (" + found.Certainty + "): look among the member's rewards.");
                return null;
            }
            Console.WriteLine("Reward: " + found.Receipt.Title);
            PrintLine("", found.Receipt.Description);
            PrintLine("Barcode: ", found.Receipt.Barcode);
            PrintLine("Valid until: ", found.Receipt.ExpiresOn);
            PrintLine("Cashier: ", found.Receipt.Instruction);
            return found.AssignmentId;
        }
        catch (PointShopException problem)
        {
            ShowProblem("cannot find the reward", problem);
            return null;
        }
    }

    static TimeSpan? WaitOf(Dictionary<string, string> given) =>
        given.TryGetValue("--wait", out string wait) ? TimeSpan.FromMilliseconds(int.Parse(wait, CultureInfo.InvariantCulture)) : (TimeSpan?)null;

    /// <summary>Uses the reward on this receipt. There is no undo.</summary>
    static void Redeem(Client shop, Dictionary<string, string> given, string contact, string assignment)
    {
        given.TryGetValue("--reference", out string reference);
        try
        {
            var redeemed = shop.RedeemReward(contact, assignment, new RedeemOptions { Reference = reference, Wait = WaitOf(given) });
            Console.WriteLine("==> The reward is used on this receipt.");
            Acknowledge(shop, redeemed.OperationId);
        }
        catch (PointShopException problem)
        {
            if (problem is DeclinedException) Console.WriteLine("==> The reward cannot be used on this receipt.");
            else if (problem is NotSentException) Console.WriteLine("==> The reward is not used. You may try again.");
            else Console.WriteLine("==> Not known yet whether the reward is used. Let the sale go on; the till finds out by itself.");
            ShowProblem("redeem", problem);
            if (!(problem is PendingException) && problem.OperationId != null) Acknowledge(shop, problem.OperationId);
        }
    }

    /// <summary>
    /// What an earlier run left: shown, and acknowledged where the outcome is known. This is how a power cut ends well.
    /// What is pending still is left alone: the library goes on settling it.
    /// </summary>
    static void FinishEarlierSales(Client shop)
    {
        try
        {
            shop.ResolvePending(new CallOptions { Wait = TimeSpan.FromSeconds(5) });
        }
        catch (PointShopException problem)
        {
            ShowProblem("cannot settle earlier sales now", problem);
        }
        try
        {
            foreach (var operation in shop.ListUnacknowledged())
            {
                Console.WriteLine("Earlier " + operation.Kind + " " + operation.OperationId + " (" + operation.Reference + "): "
                    + operation.Json["outcome"].Text);
                // The member gets it now; it is used at the next visit.
                if (operation.Kind == "purchase" && operation.Outcome == Outcome.Completed) PrintReward(shop, operation.OperationId);
                if (operation.NeedsReview)
                {
                    Console.WriteLine("    The till cannot find out. Look for it among the member's purchases at Engage.");
                    Acknowledge(shop, operation.OperationId);
                }
                else if (operation.Outcome != Outcome.Pending)
                {
                    Acknowledge(shop, operation.OperationId);
                }
            }
        }
        catch (PointShopException problem)
        {
            ShowProblem("cannot list earlier sales", problem);
        }
    }

    /// <summary>Finds the member by what was given, "email=astrid@example.com": the contact's id.</summary>
    static string FindMember(Client shop, string member)
    {
        var equals = member.IndexOf('=');
        try
        {
            var contact = shop.FindContact(member.Substring(0, equals), member.Substring(equals + 1));
            Console.WriteLine("The member is " + contact + ".");
            return contact;
        }
        catch (PointShopException problem)
        {
            if ((int)problem.Code / 100 == -3) Console.WriteLine("==> There is no such member.");
            else TellCashier(problem);
            ShowProblem("cannot find the member", problem);
            throw;
        }
    }

    /// <summary>The member's points, if they can be told.</summary>
    static decimal? PointsOf(Client shop, string contact)
    {
        try
        {
            return shop.ListPoints(contact).Sum(account => account.Balance);
        }
        catch (PointShopException problem)
        {
            ShowProblem("cannot read the points", problem);
            return null;
        }
    }

    /// <summary>Shows the offers and picks the wanted one, else the first that the member can afford.</summary>
    static string ChooseOffer(Client shop, Dictionary<string, string> given, string contact, decimal points)
    {
        given.TryGetValue("--item", out string wanted);
        string chosen = null;
        try
        {
            var items = shop.ListItems(contact);
            Console.WriteLine("Offers:");
            foreach (var item in items)
            {
                if (chosen == null && (wanted == null ? item.Cost <= points : item.Id == wanted)) chosen = item.Id;
                Console.WriteLine("  " + Points(item.Cost).PadLeft(6) + " points  " + item.Title);
            }
        }
        catch (PointShopException problem)
        {
            TellCashier(problem);
            ShowProblem("cannot list the offers", problem);
            throw;
        }
        if (chosen == null) Console.WriteLine(wanted == null ? "There is no offer the member can buy." : "The member is not offered this item.");
        return chosen;
    }

    static int Buy(Client shop, Dictionary<string, string> given, string contact, string item)
    {
        // The receipt's number: the same receipt pressed twice is one purchase, also after a restart. The rewards first, so that the
        // new one can be told from old ones.
        given.TryGetValue("--reference", out string reference);
        var options = new PurchaseOptions { Reference = reference, SnapshotRewards = true, Wait = WaitOf(given) };
        try
        {
            var bought = shop.Purchase(contact, item, options);
            Console.WriteLine("==> The reward is bought.");
            Console.WriteLine("Purchase " + bought.PurchaseId + " for " + Points(bought.Purchase.Cost) + " points"
                + (bought.Existing ? " (asked for before: bought once)" : ""));
            var assignment = PrintReward(shop, bought.OperationId);
            if (assignment != null && !given.ContainsKey("--no-redeem")) Redeem(shop, given, contact, assignment);
            Acknowledge(shop, bought.OperationId);
            return Bought;
        }
        catch (PointShopException problem)
        {
            TellCashier(problem);
            ShowProblem("purchase", problem);
            // Printed, so noted. One that is pending is noted when its outcome is known, at the next start at the latest.
            if (!(problem is PendingException) && problem.OperationId != null) Acknowledge(shop, problem.OperationId);
            return ExitCode(problem);
        }
    }

    static void ShowPurchases(Client shop, string contact)
    {
        try
        {
            var purchases = shop.ListPurchases(contact);
            Console.WriteLine("Purchases:");
            foreach (var purchase in purchases)
            {
                Console.WriteLine("  " + Points(purchase.Cost).PadLeft(6) + " points  " + (purchase.Status ?? "").PadRight(10) + " " + purchase.CreatedOn);
            }
        }
        catch (PointShopException problem)
        {
            ShowProblem("cannot list the purchases", problem);
        }
    }

    /// <summary>One sale, from the member to the receipt.</summary>
    static int Sell(Client shop, Dictionary<string, string> given, string contact)
    {
        var points = PointsOf(shop, contact);
        if (points is decimal before) Console.WriteLine("The member has " + Points(before) + " points.");
        var item = ChooseOffer(shop, given, contact, points ?? -1);
        if (item == null) return Failed;
        var result = Buy(shop, given, contact, item);
        ShowPurchases(shop, contact);
        points = PointsOf(shop, contact);
        if (points is decimal after) Console.WriteLine("The member has " + Points(after) + " points left.");
        return result;
    }

    // --- The program -----------------------------------------------------------------------------------------------------

    static Dictionary<string, string> ReadArguments(string[] words)
    {
        var known = new[] { "--url", "--key", "--ca", "--journal", "--contact", "--member", "--item", "--reference", "--wait", "--request-timeout" };
        var given = new Dictionary<string, string>();
        for (var at = 0; at < words.Length; at++)
        {
            if (words[at] == "--no-redeem") given[words[at]] = "";
            else if (!known.Contains(words[at]) || at + 1 == words.Length) return null;
            else given[words[at]] = words[++at];
        }
        if (!given.ContainsKey("--url") || !given.ContainsKey("--journal")) return null;
        if (given.ContainsKey("--contact") == given.ContainsKey("--member")) return null;
        if (given.TryGetValue("--member", out string member) && !member.Contains("=")) return null;
        foreach (var name in new[] { "--wait", "--request-timeout" })
        {
            if (given.TryGetValue(name, out string ms)
                && !int.TryParse(ms, NumberStyles.None, CultureInfo.InvariantCulture, out _)) return null;
        }
        return given;
    }

    static int Main(string[] words)
    {
        var given = ReadArguments(words);
        if (given == null)
        {
            Console.Error.WriteLine("usage: till --url URL --key KEY --journal FILE --contact GUID | --member KEY=VALUE"
                + " [--ca FILE] [--item GUID] [--reference TEXT] [--wait MS] [--request-timeout MS] [--no-redeem]");
            return Usage;
        }
        // A pipe or a console: what the cashier reads comes at once and in order, in UTF-8.
        Console.SetOut(new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false)) { AutoFlush = true });
        given.TryGetValue("--key", out string key);
        given.TryGetValue("--ca", out string ca);
        var config = new Dictionary<string, object>
        {
            ["baseUrl"] = given["--url"],
            ["userAgent"] = "ExampleTill/1.0",
            ["journalPath"] = given["--journal"],
            ["apiKey"] = key,
            ["caFile"] = ca,
        };
        if (given.TryGetValue("--request-timeout", out string ms)) config["requestTimeoutMs"] = int.Parse(ms, CultureInfo.InvariantCulture);
        Client shop;
        try
        {
            shop = Client.Open(config);
        }
        catch (PointShopException problem)
        {
            ShowProblem("cannot open the point shop", problem);
            return Failed;
        }
        // Closed at the end. Purchases under way stay in the journal and are settled after the next start.
        using (shop)
        {
            FinishEarlierSales(shop);
            try
            {
                return Sell(shop, given, given.TryGetValue("--contact", out string contact) ? contact : FindMember(shop, given["--member"]));
            }
            catch (PointShopException problem)
            {
                return ExitCode(problem); // Shown already.
            }
        }
    }
}
