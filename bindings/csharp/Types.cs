// The types of the calls' results and options. A value without a property of its own is in Json,
// unchanged.

using System;
using System.Collections.Generic;
using System.Linq;

namespace EngagePointShop
{
    /// <summary>The JSON of a call's result; each type below names its known values.</summary>
    public abstract class JsonObject
    {
        internal JsonObject(Json json)
        {
            Json = json;
        }

        /// <summary>The whole value, unchanged.</summary>
        public Json Json { get; }

        internal static DateTimeOffset? Time(Json ms) =>
            ms.Integer is long value ? DateTimeOffset.FromUnixTimeMilliseconds(value) : (DateTimeOffset?)null;
    }

    /// <summary>An operation: a purchase or a redeem, as the journal holds it.</summary>
    public sealed class Operation : JsonObject
    {
        internal Operation(Json json) : base(json) { }

        /// <summary>The operation's id; for a purchase it is also the purchase id.</summary>
        public string OperationId => Json["operationId"].Text;

        /// <summary>The kind of operation: "purchase" or "redeem".</summary>
        public string Kind => Json["kind"].Text;

        /// <summary>The outcome: what is known about the points.</summary>
        public Outcome Outcome
        {
            get
            {
                switch (Json["outcome"].Text)
                {
                    case "completed": return Outcome.Completed;
                    case "declined": return Outcome.Declined;
                    case "notSent": return Outcome.NotSent;
                    default: return Outcome.Pending;
                }
            }
        }

        /// <summary>The code of the outcome.</summary>
        public Code Code => (Code)(Json["code"].Integer ?? (long)Code.Internal);

        /// <summary>The purchase id; null for a redeem.</summary>
        public string PurchaseId => Json["purchaseId"].Text;

        /// <summary>The member's contact id; null if it was not given.</summary>
        public string ContactId => Json["contactId"].Text;

        /// <summary>The id of the bought item; null for a redeem.</summary>
        public string ItemId => Json["itemId"].Text;

        /// <summary>The assignment id of the redeemed reward, or of the purchase's reward once
        /// FindReward was certain.</summary>
        public string AssignmentId => Json["assignmentId"].Text;

        /// <summary>The channel of a redeem; null for a purchase.</summary>
        public string Channel => Json["channel"].Text;

        /// <summary>The POS's own name for the sale, for example a receipt number.</summary>
        public string Reference => Json["reference"].Text;

        /// <summary>The number of attempts: requests that may have spent.</summary>
        public int Attempts => (int)(Json["attempts"].Integer ?? 0);

        /// <summary>Whether the operation needs a manual review, because the library cannot resolve
        /// it.</summary>
        public bool NeedsReview => Json["needsReview"].Flag ?? false;

        /// <summary>Whether the call found an existing operation. Only Purchase and RedeemReward
        /// return this value.</summary>
        public bool Existing => Json["existing"].Flag ?? false;

        /// <summary>The time at which the intent was recorded.</summary>
        public DateTimeOffset? RecordedAt => Time(Json["recordedAtMs"]);

        /// <summary>The time at which the outcome became known.</summary>
        public DateTimeOffset? ResolvedAt => Time(Json["resolvedAtMs"]);

        /// <summary>The time at which the POS acknowledged the outcome.</summary>
        public DateTimeOffset? AcknowledgedAt => Time(Json["acknowledgedAtMs"]);

        /// <summary>Engage's purchase object, once the purchase is completed.</summary>
        public Purchase Purchase => Json["purchase"].IsNull ? null : new Purchase(Json["purchase"]);

        /// <summary>Engage's reward object of a redeem, if Engage returned it.</summary>
        public Reward Reward => Json["reward"].IsNull ? null : new Reward(Json["reward"]);
    }

    /// <summary>One of a member's point accounts.</summary>
    public sealed class PointAccount : JsonObject
    {
        internal PointAccount(Json json) : base(json) { }

        /// <summary>The balance, in points.</summary>
        public decimal Balance => Json["balance"].Number ?? 0;
    }

    /// <summary>An item that a member can buy.</summary>
    public sealed class Item : JsonObject
    {
        internal Item(Json json) : base(json) { }

        /// <summary>The item's id: the second argument of Purchase.</summary>
        public string Id => Json["id"].Text;

        /// <summary>The item's internal name.</summary>
        public string Name => Json["name"].Text;

        /// <summary>The title for the member, or the internal name if there is no title.</summary>
        public string Title => string.IsNullOrEmpty(Json["presentation"]["title"].Text) ? Name : Json["presentation"]["title"].Text;

        /// <summary>The cost, in points.</summary>
        public long Cost => Json["cost"].Integer ?? 0;
    }

    /// <summary>A purchase in Engage's history.</summary>
    public sealed class Purchase : JsonObject
    {
        internal Purchase(Json json) : base(json) { }

        /// <summary>The cost, in points.</summary>
        public long Cost => Json["cost"].Integer ?? 0;

        /// <summary>Engage's status of the purchase, unchanged.</summary>
        public string Status => Json["status"].Text;

        /// <summary>The time of the purchase, in Engage's format.</summary>
        public string CreatedOn => Json["createdOn"].Text;
    }

    /// <summary>A reward of a member.</summary>
    public sealed class Reward : JsonObject
    {
        internal Reward(Json json) : base(json) { }

        /// <summary>The assignment id: the second argument of RedeemReward.</summary>
        public string Id => Json["id"].Text;

        /// <summary>The id of the reward's template, which cannot be redeemed.</summary>
        public string PromotionId => Json["promotionId"].Text;

        /// <summary>The text that the member sees first.</summary>
        public string Heading => Json["heading"].Text;
    }

    /// <summary>The reward of a purchase, and how certain it is.</summary>
    public sealed class FoundReward : JsonObject
    {
        internal FoundReward(Json json) : base(json) { }

        /// <summary>The certainty: "explicit", "newSincePurchase" and "onlyCandidate" are certain;
        /// "ambiguous" and "none" are not.</summary>
        public string Certainty => Json["certainty"].Text;

        /// <summary>The assignment id for RedeemReward; null unless the reward is
        /// certain.</summary>
        public string AssignmentId => Json["assignmentId"].Text;

        /// <summary>Engage's reward object, or null.</summary>
        public Reward Reward => Json["reward"].IsNull ? null : new Reward(Json["reward"]);

        /// <summary>The reward's texts for a receipt and a screen, or null.</summary>
        public Receipt Receipt => Json["receipt"].IsNull ? null : new Receipt(Json["receipt"]);

        /// <summary>The rewards from which a person can choose, if the reward is
        /// ambiguous.</summary>
        public IReadOnlyList<Reward> Candidates => Json["candidates"].Items.Select(json => new Reward(json)).ToList();
    }

    /// <summary>The texts of a reward for a receipt and a screen; each is null if it is not
    /// known.</summary>
    public sealed class Receipt : JsonObject
    {
        internal Receipt(Json json) : base(json) { }

        /// <summary>The title for the member.</summary>
        public string Title => Json["title"].Text;

        /// <summary>The longer description.</summary>
        public string Description => Json["description"].Text;

        /// <summary>The digits or text of the barcode, to be printed as a barcode.</summary>
        public string Barcode => Json["barcode"].Text;

        /// <summary>The time at which the reward expires, in Engage's format.</summary>
        public string ExpiresOn => Json["expiresOn"].Text;

        /// <summary>The instruction for the cashier.</summary>
        public string Instruction => Json["instruction"].Text;

        /// <summary>The type of the value in Json["value"].</summary>
        public string ValueType => Json["valueType"].Text;
    }

    /// <summary>The result of ResolvePending.</summary>
    public sealed class Resolution : JsonObject
    {
        internal Resolution(Json json) : base(json) { }

        /// <summary>The number of operations that were resolved.</summary>
        public int Known => (int)(Json["resolved"].Integer ?? 0);

        /// <summary>The number of operations that are still pending.</summary>
        public int Pending => (int)(Json["pending"].Integer ?? 0);
    }

    /// <summary>The options of every call that makes a request to Engage.</summary>
    public class CallOptions
    {
        /// <summary>The longest wait of the call; the configuration's "waitMs" if null.</summary>
        public TimeSpan? Wait { get; set; }

        internal virtual Dictionary<string, object> ToJson() =>
            new Dictionary<string, object> { ["waitMs"] = Wait is TimeSpan wait ? (long)wait.TotalMilliseconds : (object)null };
    }

    /// <summary>The options of FindContact.</summary>
    public sealed class ContactOptions : CallOptions
    {
        /// <summary>The contact type in Engage.</summary>
        public string ContactType { get; set; }

        internal override Dictionary<string, object> ToJson() => new Dictionary<string, object>(base.ToJson()) { ["contactType"] = ContactType };
    }

    /// <summary>The options of Purchase.</summary>
    public sealed class PurchaseOptions : CallOptions
    {
        /// <summary>The POS's own name for the sale, for example a receipt number. The same
        /// reference is the same purchase.</summary>
        public string Reference { get; set; }

        /// <summary>A purchase id that the POS has made; see Client.NewId.</summary>
        public string PurchaseId { get; set; }

        /// <summary>Whether the member's rewards are listed before the purchase, so that FindReward
        /// recognises the new one.</summary>
        public bool SnapshotRewards { get; set; }

        internal override Dictionary<string, object> ToJson() => new Dictionary<string, object>(base.ToJson())
        {
            ["reference"] = Reference,
            ["purchaseId"] = PurchaseId,
            ["snapshotRewards"] = SnapshotRewards,
        };
    }

    /// <summary>The options of RedeemReward.</summary>
    public sealed class RedeemOptions : CallOptions
    {
        /// <summary>The channel: "POS" (the default), "ECOM" or "OTHER".</summary>
        public string Channel { get; set; }

        /// <summary>The POS's own name for the sale. The same reference is the same
        /// redeem.</summary>
        public string Reference { get; set; }

        internal override Dictionary<string, object> ToJson() =>
            new Dictionary<string, object>(base.ToJson()) { ["channel"] = Channel, ["reference"] = Reference };
    }

    /// <summary>The options of ListRewards.</summary>
    public sealed class RewardOptions : CallOptions
    {
        /// <summary>The channel: "POS" (the default), "ECOM" or "OTHER".</summary>
        public string Channel { get; set; }

        internal override Dictionary<string, object> ToJson() => new Dictionary<string, object>(base.ToJson()) { ["channel"] = Channel };
    }
}
