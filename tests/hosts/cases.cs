// The cases in C#: see cases.c. An error is printed from the exception's own properties.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using EngagePointShop;

static class Cases
{
    // Makes the call of a case or of a step before it.
    static object Make(Client shop, Json step)
    {
        Json given = step["arguments"], options = step["options"];
        string a = given.Items.Count > 0 ? given.Items[0].Text : null, b = given.Items.Count > 1 ? given.Items[1].Text : null;
        var wait = options["waitMs"].Integer is long ms ? TimeSpan.FromMilliseconds(ms) : (TimeSpan?)null;
        var plain = options.IsNull ? null : new CallOptions { Wait = wait };
        switch (step["call"].Text)
        {
            case "find_contact": return shop.FindContact(a, b, new ContactOptions { ContactType = options["contactType"].Text, Wait = wait });
            case "list_points": return shop.ListPoints(a, plain);
            case "list_items": return shop.ListItems(a, plain);
            case "purchase":
                return shop.Purchase(a, b, new PurchaseOptions
                {
                    Reference = options["reference"].Text, PurchaseId = options["purchaseId"].Text, Wait = wait,
                });
            case "list_purchases": return shop.ListPurchases(a, plain);
            case "list_rewards": return shop.ListRewards(a, new RewardOptions { Channel = options["channel"].Text, Wait = wait });
            case "find_reward": return shop.FindReward(a, plain);
            case "redeem_reward":
                return shop.RedeemReward(a, b, new RedeemOptions
                {
                    Channel = options["channel"].Text, Reference = options["reference"].Text, Wait = wait,
                });
            case "list_unacknowledged":
                return new Dictionary<string, object>
                {
                    ["operations"] = shop.ListUnacknowledged(new UnacknowledgedOptions { Reference = options["reference"].Text }),
                };
            case "list_operations":
                return shop.ListOperations(new ListOptions
                {
                    Since = Time(options["since"]), Until = Time(options["until"]), Outcome = OutcomeOf(options["outcome"].Text),
                    Acknowledged = options["acknowledged"].Flag, Reference = options["reference"].Text,
                    Limit = (int?)options["limit"].Integer, After = options["after"].Text,
                });
            case "get_operation": return shop.GetOperation(a);
            case "resolve_pending": return shop.ResolvePending(plain);
            case "acknowledge": return shop.Acknowledge(a);
            case "resolve_review":
                return shop.ResolveReview(a, b, new ReviewOptions { By = options["by"].Text, Note = options["note"].Text });
            case "acknowledge_reference":
                return new Dictionary<string, object> { ["operations"] = shop.AcknowledgeReference(a) };
            case "backup_journal": return shop.BackupJournal(a);
            case "check": return shop.Check(new CheckOptions { Offline = options["offline"].Flag ?? false, Wait = wait });
            case "read_metrics": return shop.ReadMetrics();
            case "read_stats": return shop.ReadStats();
            case "code_action":
                var action = Client.ActionOf((Code)int.Parse(a)).ToString();
                return action.Substring(0, 1).ToLowerInvariant() + action.Substring(1);
            case "code_meaning": return Client.MeaningOf((Code)int.Parse(a));
            case "json_get": return Client.JsonGet(a, b);
            case "json_quote": return Json.Parse(Client.JsonQuote(a));
            default: throw new InvalidOperationException("no such call: " + step["call"].Text);
        }
    }

    static DateTimeOffset? Time(Json ms) =>
        ms.Integer is long value ? DateTimeOffset.FromUnixTimeMilliseconds(value) : (DateTimeOffset?)null;

    static Outcome? OutcomeOf(string name)
    {
        switch (name)
        {
            case null: return null;
            case "completed": return Outcome.Completed;
            case "declined": return Outcome.Declined;
            case "notSent": return Outcome.NotSent;
            default: return Outcome.Pending;
        }
    }

    // Returns a result, or a list or dictionary of results, as JSON.
    static object Bare(object value)
    {
        if (value is JsonObject result) return result.Json;
        if (value is IEnumerable<JsonObject> results) return results.Select(each => each.Json).ToList();
        if (value is Dictionary<string, object> members) return members.ToDictionary(each => each.Key, each => Bare(each.Value));
        return value;
    }

    static Json Problem(PointShopException problem) => Json.Parse(Json.Write(new Dictionary<string, object>
    {
        ["outcome"] = problem.Problem["outcome"],
        ["message"] = problem.Explanation,
        ["httpStatus"] = problem.HttpStatus,
        ["engageCode"] = problem.EngageCode,
        ["operationId"] = problem.OperationId,
        ["purchaseId"] = problem.PurchaseId,
        ["attempts"] = problem.Attempts,
        ["retryAfterMs"] = problem.RetryAfter is TimeSpan after ? (long)after.TotalMilliseconds : (object)null,
        ["forCashier"] = problem.ForCashier,
        ["forMember"] = problem.ForMember,
        ["cause"] = problem.Causes,
    }));

    static int Main(string[] words)
    {
        Console.SetOut(new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(false)) { AutoFlush = true });
        var number = 0;
        foreach (var each in Json.Parse(File.ReadAllText(words[0])).Items)
        {
            var config = new Dictionary<string, object>
            {
                ["baseUrl"] = words[1], ["apiKey"] = "case-" + number, ["userAgent"] = "Cases/1", ["journal"] = "memory",
            };
            string name = "EPS_OK", outcome = "completed";
            object result;
            using (var shop = Client.Open(config))
            {
                foreach (var step in each["before"].Items)
                {
                    try
                    {
                        Make(shop, step);
                    }
                    catch (PointShopException)
                    {
                    }
                }
                try
                {
                    result = Bare(Make(shop, each));
                }
                catch (DeclinedException problem)
                {
                    name = problem.Name;
                    outcome = "declined";
                    result = Problem(problem);
                }
                catch (PendingException problem)
                {
                    name = problem.Name;
                    outcome = "pending";
                    result = Problem(problem);
                }
                catch (NotSentException problem)
                {
                    name = problem.Name;
                    outcome = "notSent";
                    result = Problem(problem);
                }
            }
            Console.WriteLine(number++ + "\t" + name + "\t" + outcome + "\t" + Json.Write(result));
        }
        return 0;
    }
}
