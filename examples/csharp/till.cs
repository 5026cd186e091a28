// A till that sells rewards for points, as a POS vendor would write it in C#. It is the till of
// examples/c, which describes the options and the exit codes.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using EngagePointShop;

static class Till
{
    const int Completed = 0, Failed = 1, Usage = 2, Declined = 10, Pending = 11, NotSent = 12;

    // --- Small helpers ---------------------------------------------------------------------------

    /// <summary>Prints a problem for the technician: its code, its message and every
    /// cause.</summary>
    static void ShowProblem(string step, PointShopException problem)
    {
        Console.Error.WriteLine(step + ": " + problem.Message);
        foreach (var cause in problem.Causes) Console.Error.WriteLine("    because: " + cause);
        if (problem.HttpStatus != null) Console.Error.WriteLine(("    HTTP status " + problem.HttpStatus + " " + problem.EngageCode).TrimEnd());
    }

    /// <summary>Prints the outcome for the cashier, and what the member is shown. The library has
    /// both texts for every code, also a newer one; Language in the configuration chooses their
    /// language. The action says who acts: a fault of the program is nothing that a member should
    /// read about.</summary>
    static void ShowCashier(PointShopException problem)
    {
        Console.WriteLine("==> " + problem.ForCashier);
        if (problem.Action != CodeAction.FixProgram) Console.WriteLine("    For the member: " + problem.ForMember);
    }

    /// <summary>Returns the exit code. The exception's type says what happened to the points, also
    /// for a code that is newer than this program.</summary>
    static int ExitCode(PointShopException problem) =>
        problem is DeclinedException ? Declined : problem is NotSentException ? NotSent : Pending;

    static string Points(decimal points) => points.ToString("F0", CultureInfo.InvariantCulture);

    // --- The steps of a sale ---------------------------------------------------------------------

    /// <summary>Acknowledges an outcome that the till has printed. If it fails, the operation is
    /// listed again at the next start.</summary>
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

    /// <summary>Acknowledges a receipt that the till has printed, the purchase and its redeem in
    /// one step. While one of them is pending, only the operation is acknowledged.</summary>
    static void AcknowledgeReceipt(Client shop, string reference, string operationId)
    {
        try
        {
            if (reference == null) Acknowledge(shop, operationId);
            else shop.AcknowledgeReference(reference);
        }
        catch (PointShopException problem)
        {
            if (problem.Code == Code.StillPending) Acknowledge(shop, operationId);
            else ShowProblem("cannot acknowledge", problem);
        }
    }

    static void PrintLine(string label, string text)
    {
        if (!string.IsNullOrEmpty(text)) Console.WriteLine("    " + label + text);
    }

    /// <summary>Finds the reward of a purchase and prints it for the member. Returns the
    /// assignment's id, or null if the reward is not certain.</summary>
    static string PrintReward(Client shop, string operationId)
    {
        try
        {
            var found = shop.FindReward(operationId);
            if (found.AssignmentId == null)
            {
                Console.WriteLine("The reward is not certain yet (" + found.Certainty + "). Check the member's list of rewards.");
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

    /// <summary>Uses the reward on this receipt. A redeem cannot be undone.</summary>
    static void Redeem(Client shop, Dictionary<string, string> given, string contact, string assignment)
    {
        given.TryGetValue("--reference", out string reference);
        try
        {
            var redeemed = shop.RedeemReward(contact, assignment, new RedeemOptions { Reference = reference, Wait = WaitOf(given) });
            Console.WriteLine("==> The reward is used on this receipt.");
            // With a receipt's number, the whole receipt is acknowledged at its end.
            if (reference == null) Acknowledge(shop, redeemed.OperationId);
        }
        catch (PointShopException problem)
        {
            if (problem is DeclinedException && problem.Action == CodeAction.TellMember)
            {
                Console.WriteLine("==> The reward cannot be used on this receipt.");
            }
            else if (problem is DeclinedException) Console.WriteLine("==> Rewards cannot be used now. Call the administrator.");
            else if (problem is NotSentException) Console.WriteLine("==> The reward is not used. You may try again.");
            else if (problem.Action == CodeAction.Review) Console.WriteLine("==> A person must check whether the reward is used. Let the sale go on.");
            else Console.WriteLine("==> The use of the reward is pending. Let the sale go on. The POS resolves it by itself.");
            ShowProblem("redeem", problem);
            if (reference == null && !(problem is PendingException) && problem.OperationId != null) Acknowledge(shop, problem.OperationId);
        }
    }

    /// <summary>Adds a line for an earlier purchase to the file of --shown.</summary>
    static void NoteShown(Dictionary<string, string> given, Operation operation)
    {
        if (!given.TryGetValue("--shown", out string file)) return;
        File.AppendAllText(file, operation.Reference + "\t" + operation.Json["outcome"].Text + "\n", new UTF8Encoding(false));
    }

    /// <summary>Shows an operation of an earlier run, and acknowledges it if its outcome is known.
    /// After a power cut, this step gives the member the reward.</summary>
    static void ShowEarlier(Client shop, Dictionary<string, string> given, Operation operation)
    {
        Console.WriteLine("Earlier " + operation.Kind + " " + operation.OperationId + " (" + operation.Reference + "): "
            + operation.Json["outcome"].Text);
        if (operation.Kind == "purchase") NoteShown(given, operation);
        // The member uses it at the next visit.
        if (operation.Kind == "purchase" && operation.Outcome == Outcome.Completed) PrintReward(shop, operation.OperationId);
        // It stays pending and listed until a person has decided (ResolveReview, or eps review).
        if (operation.NeedsReview)
        {
            Console.WriteLine("    A person must decide. Compare the member's purchases and rewards in Engage with the receipt,");
            Console.WriteLine("    then store the decision: eps review " + operation.OperationId);
        }
        if (operation.Outcome != Outcome.Pending) Acknowledge(shop, operation.OperationId);
    }

    /// <summary>Shows the operations of an earlier run and returns them. The library resolves those
    /// that are pending.</summary>
    static IReadOnlyList<Operation> ShowEarlierSales(Client shop, Dictionary<string, string> given)
    {
        try
        {
            var operations = shop.ListUnacknowledged();
            foreach (var operation in operations) ShowEarlier(shop, given, operation);
            return operations;
        }
        catch (PointShopException problem)
        {
            ShowProblem("cannot list earlier sales", problem);
            return new Operation[0];
        }
    }

    /// <summary>Resolves the earlier sales that are still pending, after the sale. This program
    /// ends here, so that the library has no time to resolve them in the background. A POS that
    /// keeps running needs no such step, and no POS takes it at its start: all tills share the
    /// requests of one key.</summary>
    static void ResolveEarlierSales(Client shop, Dictionary<string, string> given, IReadOnlyList<Operation> earlier)
    {
        var pending = earlier.Where(operation => operation.Outcome == Outcome.Pending && !operation.NeedsReview).ToList();
        if (pending.Count == 0) return;
        try
        {
            shop.ResolvePending(new CallOptions { Wait = TimeSpan.FromSeconds(5) });
        }
        catch (PointShopException problem)
        {
            ShowProblem("cannot resolve earlier sales now", problem);
        }
        foreach (var operation in pending)
        {
            try
            {
                var now = shop.GetOperation(operation.OperationId);
                if (now.Outcome != Outcome.Pending && now.AcknowledgedAt == null) ShowEarlier(shop, given, now);
            }
            catch (PointShopException problem)
            {
                ShowProblem("cannot read an earlier sale", problem);
            }
        }
    }

    /// <summary>Finds the member by a key and a value, "email=astrid@example.com". Returns the
    /// contact's id.</summary>
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
            ShowCashier(problem);
            ShowProblem("cannot find the member", problem);
            throw;
        }
    }

    /// <summary>Returns the member's points, if they can be read.</summary>
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

    /// <summary>Shows the offers and chooses the wanted one, else the first that the member can
    /// afford.</summary>
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
            ShowCashier(problem);
            ShowProblem("cannot list the offers", problem);
            throw;
        }
        if (chosen == null) Console.WriteLine(wanted == null ? "There is no offer the member can buy." : "The member is not offered this item.");
        return chosen;
    }

    static int Buy(Client shop, Dictionary<string, string> given, string contact, string item)
    {
        // With the receipt's number, a second press is the same purchase, also after a restart.
        // With the snapshot of the rewards, the new reward is distinguished from older ones.
        given.TryGetValue("--reference", out string reference);
        var options = new PurchaseOptions { Reference = reference, SnapshotRewards = true, Wait = WaitOf(given) };
        try
        {
            var bought = shop.Purchase(contact, item, options);
            Console.WriteLine("==> The reward is bought.");
            Console.WriteLine("Purchase " + bought.PurchaseId + " for " + Points(bought.Purchase.Cost) + " points"
                + (bought.Existing ? " (existing purchase: nothing was deducted again)" : ""));
            var assignment = PrintReward(shop, bought.OperationId);
            if (assignment != null && !given.ContainsKey("--no-redeem")) Redeem(shop, given, contact, assignment);
            AcknowledgeReceipt(shop, reference, bought.OperationId);
            return Completed;
        }
        catch (PointShopException problem)
        {
            ShowCashier(problem);
            ShowProblem("purchase", problem);
            // The outcome is printed, so it is acknowledged. A pending operation is acknowledged
            // when its outcome is known.
            if (!(problem is PendingException) && problem.OperationId != null) AcknowledgeReceipt(shop, reference, problem.OperationId);
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

    /// <summary>Returns the item that an earlier run bought on this receipt for the member, or
    /// null. The second press means that purchase, also when the offers cannot be read.</summary>
    static string ItemOfReceipt(IReadOnlyList<Operation> earlier, Dictionary<string, string> given, string contact)
    {
        given.TryGetValue("--reference", out string reference);
        return earlier.FirstOrDefault(operation => reference != null && operation.Reference == reference
            && operation.ContactId == contact && operation.ItemId != null
            && (operation.Outcome == Outcome.Pending || operation.Outcome == Outcome.Completed))?.ItemId;
    }

    /// <summary>Makes one sale, from the member to the receipt.</summary>
    static int Sell(Client shop, Dictionary<string, string> given, string contact, IReadOnlyList<Operation> earlier)
    {
        var points = PointsOf(shop, contact);
        if (points is decimal before) Console.WriteLine("The member has " + Points(before) + " points.");
        var item = ItemOfReceipt(earlier, given, contact) ?? ChooseOffer(shop, given, contact, points ?? -1);
        if (item == null) return Failed;
        var result = Buy(shop, given, contact, item);
        ShowPurchases(shop, contact);
        points = PointsOf(shop, contact);
        if (points is decimal after) Console.WriteLine("The member has " + Points(after) + " points left.");
        return result;
    }

    /// <summary>Finds the member, if the contact's id is not given, and makes the sale.</summary>
    static int SellToMember(Client shop, Dictionary<string, string> given, IReadOnlyList<Operation> earlier)
    {
        try
        {
            return Sell(shop, given, given.TryGetValue("--contact", out string contact) ? contact : FindMember(shop, given["--member"]), earlier);
        }
        catch (PointShopException problem)
        {
            return ExitCode(problem); // The step that failed has printed it.
        }
    }

    static string OutcomeName(int result)
    {
        switch (result)
        {
            case Completed: return "completed";
            case Declined: return "declined";
            case Pending: return "pending";
            case NotSent: return "notSent";
            default: return "failed";
        }
    }

    /// <summary>Sells until standard input ends: one line with a sale, one line with its outcome.
    /// The library resolves pending sales in the background, and the next sale shows
    /// them.</summary>
    static int Serve(Client shop, Dictionary<string, string> given)
    {
        for (var line = Console.ReadLine(); line != null; line = Console.ReadLine())
        {
            var wanted = Json.Parse(line);
            var earlier = ShowEarlierSales(shop, given);
            var sale = new Dictionary<string, string>(given)
            {
                ["--contact"] = wanted["contact"].Text,
                ["--item"] = wanted["item"].Text,
                ["--reference"] = wanted["reference"].Text,
                ["--wait"] = wanted["waitMs"].Integer.Value.ToString(CultureInfo.InvariantCulture),
            };
            Console.WriteLine("{\"outcome\": \"" + OutcomeName(SellToMember(shop, sale, earlier)) + "\"}");
        }
        return Completed;
    }

    // --- The program -----------------------------------------------------------------------------

    static readonly string[] Times = { "--wait", "--request-timeout", "--startup-jitter" };

    static Dictionary<string, string> ReadArguments(string[] arguments)
    {
        var known = new[] { "--url", "--key", "--ca", "--journal", "--contact", "--member", "--item", "--reference", "--shown" }.Concat(Times).ToArray();
        var given = new Dictionary<string, string>();
        for (var at = 0; at < arguments.Length; at++)
        {
            if (arguments[at] == "--no-redeem" || arguments[at] == "--serve") given[arguments[at]] = "";
            else if (!known.Contains(arguments[at]) || at + 1 == arguments.Length) return null;
            else given[arguments[at]] = arguments[++at];
        }
        if (!given.ContainsKey("--url") || !given.ContainsKey("--journal")) return null;
        if (!given.ContainsKey("--serve") && given.ContainsKey("--contact") == given.ContainsKey("--member")) return null;
        if (given.TryGetValue("--member", out string member) && !member.Contains("=")) return null;
        foreach (var name in Times)
        {
            if (given.TryGetValue(name, out string ms)
                && !int.TryParse(ms, NumberStyles.None, CultureInfo.InvariantCulture, out _)) return null;
        }
        return given;
    }

    static int Main(string[] arguments)
    {
        var given = ReadArguments(arguments);
        if (given == null)
        {
            Console.Error.WriteLine("usage: till --url URL --key KEY --journal FILE --contact GUID | --member KEY=VALUE"
                + " [--ca FILE] [--item GUID] [--reference TEXT] [--wait MS] [--request-timeout MS] [--startup-jitter MS]"
                + " [--shown FILE] [--no-redeem] [--serve]");
            return Usage;
        }
        // The cashier reads each line at once and in order, in UTF-8, also through a pipe.
        Console.SetOut(new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false)) { AutoFlush = true });
        given.TryGetValue("--key", out string key);
        given.TryGetValue("--ca", out string ca);
        var config = new Dictionary<string, object>
        {
            ["baseUrl"] = given["--url"],
            ["userAgent"] = "ExampleTill/1.0",
            // A relative path would be another journal when the program is started in another
            // folder.
            ["journalPath"] = Path.GetFullPath(given["--journal"]),
            ["apiKey"] = key,
            ["caFile"] = ca,
        };
        if (given.TryGetValue("--request-timeout", out string ms)) config["requestTimeoutMs"] = int.Parse(ms, CultureInfo.InvariantCulture);
        if (given.TryGetValue("--startup-jitter", out string jitter)) config["startupJitterMs"] = int.Parse(jitter, CultureInfo.InvariantCulture);
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
        // Pending purchases stay in the journal and are resolved after the next start.
        using (shop)
        {
            if (given.ContainsKey("--serve")) return Serve(shop, given);
            var earlier = ShowEarlierSales(shop, given);
            var result = SellToMember(shop, given, earlier);
            ResolveEarlierSales(shop, given, earlier);
            return result;
        }
    }
}
