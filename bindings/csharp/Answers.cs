// What calls answer and take, as types. Whatever has no property of its own is in Json, as it came.

using System;
using System.Collections.Generic;
using System.Linq;

namespace EngagePointShop
{
    /// <summary>What every answer has.</summary>
    public abstract class Answer
    {
        internal Answer(Json json)
        {
            Json = json;
        }

        /// <summary>All of it.</summary>
        public Json Json { get; }

        internal static DateTimeOffset? Time(Json ms) =>
            ms.Integer is long value ? DateTimeOffset.FromUnixTimeMilliseconds(value) : (DateTimeOffset?)null;
    }

    /// <summary>What the library knows of something that spends.</summary>
    public sealed class Operation : Answer
    {
        internal Operation(Json json) : base(json) { }

        /// <summary>Its id; for a purchase the purchase's too.</summary>
        public string OperationId => Json["operationId"].Text;

        /// <summary>"purchase" or "redeem".</summary>
        public string Kind => Json["kind"].Text;

        /// <summary>What is known of the points.</summary>
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

        /// <summary>The code of that outcome.</summary>
        public Code Code => (Code)(Json["code"].Integer ?? (long)Code.Internal);

        /// <summary>The purchase.</summary>
        public string PurchaseId => Json["purchaseId"].Text;

        /// <summary>The member.</summary>
        public string ContactId => Json["contactId"].Text;

        /// <summary>The item.</summary>
        public string ItemId => Json["itemId"].Text;

        /// <summary>The reward that is redeemed, or that the purchase gave once FindReward was certain.</summary>
        public string AssignmentId => Json["assignmentId"].Text;

        /// <summary>The channel of a redeem.</summary>
        public string Channel => Json["channel"].Text;

        /// <summary>The POS's own name for the sale.</summary>
        public string Reference => Json["reference"].Text;

        /// <summary>How many requests were made.</summary>
        public int Attempts => (int)(Json["attempts"].Integer ?? 0);

        /// <summary>Whether the library cannot find out, and a person must.</summary>
        public bool NeedsReview => Json["needsReview"].Flag ?? false;

        /// <summary>Whether it had been asked for before. Only where a call that spends answers it.</summary>
        public bool Existing => Json["existing"].Flag ?? false;

        /// <summary>When it was recorded.</summary>
        public DateTimeOffset? RecordedAt => Time(Json["recordedAtMs"]);

        /// <summary>When its outcome became known.</summary>
        public DateTimeOffset? ResolvedAt => Time(Json["resolvedAtMs"]);

        /// <summary>When the POS acknowledged it.</summary>
        public DateTimeOffset? AcknowledgedAt => Time(Json["acknowledgedAtMs"]);

        /// <summary>Engage's purchase object, once done.</summary>
        public Purchase Purchase => Json["purchase"].IsNull ? null : new Purchase(Json["purchase"]);

        /// <summary>Of a redeem: Engage's reward object, if it was seen.</summary>
        public Reward Reward => Json["reward"].IsNull ? null : new Reward(Json["reward"]);
    }

    /// <summary>An account of a member's points.</summary>
    public sealed class PointAccount : Answer
    {
        internal PointAccount(Json json) : base(json) { }

        /// <summary>The points.</summary>
        public decimal Balance => Json["balance"].Number ?? 0;
    }

    /// <summary>Something that a member can buy.</summary>
    public sealed class Item : Answer
    {
        internal Item(Json json) : base(json) { }

        /// <summary>What is bought: the second argument of Purchase.</summary>
        public string Id => Json["id"].Text;

        /// <summary>The internal name.</summary>
        public string Name => Json["name"].Text;

        /// <summary>What the member is shown; the internal name where there is nothing.</summary>
        public string Title => string.IsNullOrEmpty(Json["presentation"]["title"].Text) ? Name : Json["presentation"]["title"].Text;

        /// <summary>In points.</summary>
        public long Cost => Json["cost"].Integer ?? 0;
    }

    /// <summary>A purchase as Engage has it.</summary>
    public sealed class Purchase : Answer
    {
        internal Purchase(Json json) : base(json) { }

        /// <summary>In points.</summary>
        public long Cost => Json["cost"].Integer ?? 0;

        /// <summary>Engage's word.</summary>
        public string Status => Json["status"].Text;

        /// <summary>Engage's word for when.</summary>
        public string CreatedOn => Json["createdOn"].Text;
    }

    /// <summary>A reward that a member has.</summary>
    public sealed class Reward : Answer
    {
        internal Reward(Json json) : base(json) { }

        /// <summary>The assignment: what is redeemed.</summary>
        public string Id => Json["id"].Text;

        /// <summary>The template it was made from, which cannot be redeemed.</summary>
        public string PromotionId => Json["promotionId"].Text;

        /// <summary>What the member is shown.</summary>
        public string Heading => Json["heading"].Text;
    }

    /// <summary>Which reward a purchase gave.</summary>
    public sealed class FoundReward : Answer
    {
        internal FoundReward(Json json) : base(json) { }

        /// <summary>"explicit", "newSincePurchase" and "onlyCandidate" are certain; "ambiguous" and "none" are not.</summary>
        public string Certainty => Json["certainty"].Text;

        /// <summary>What RedeemReward takes; null unless it is certain.</summary>
        public string AssignmentId => Json["assignmentId"].Text;

        /// <summary>Engage's object, or null.</summary>
        public Reward Reward => Json["reward"].IsNull ? null : new Reward(Json["reward"]);

        /// <summary>What a receipt and a screen need of it, or null.</summary>
        public Receipt Receipt => Json["receipt"].IsNull ? null : new Receipt(Json["receipt"]);

        /// <summary>Where it is ambiguous, what a person can choose from.</summary>
        public IReadOnlyList<Reward> Candidates => Json["candidates"].Items.Select(json => new Reward(json)).ToList();
    }

    /// <summary>What a receipt and a screen need of a reward; each is null where it is not known.</summary>
    public sealed class Receipt : Answer
    {
        internal Receipt(Json json) : base(json) { }

        /// <summary>What the member is shown.</summary>
        public string Title => Json["title"].Text;

        /// <summary>In more words.</summary>
        public string Description => Json["description"].Text;

        /// <summary>To be printed as such.</summary>
        public string Barcode => Json["barcode"].Text;

        /// <summary>Engage's word for until when.</summary>
        public string ExpiresOn => Json["expiresOn"].Text;

        /// <summary>What the cashier has to do.</summary>
        public string Instruction => Json["instruction"].Text;

        /// <summary>What kind of Json["value"] there is.</summary>
        public string ValueType => Json["valueType"].Text;
    }

    /// <summary>What a call to Settle came to.</summary>
    public sealed class Resolution : Answer
    {
        internal Resolution(Json json) : base(json) { }

        /// <summary>How many outcomes became known.</summary>
        public int Known => (int)(Json["resolved"].Integer ?? 0);

        /// <summary>How many are pending still.</summary>
        public int Pending => (int)(Json["pending"].Integer ?? 0);
    }

    /// <summary>What every call that asks Engage may be told.</summary>
    public class CallOptions
    {
        /// <summary>How long it may take; the configuration's "waitMs" if null.</summary>
        public TimeSpan? Wait { get; set; }

        internal virtual Dictionary<string, object> ToJson() =>
            new Dictionary<string, object> { ["waitMs"] = Wait is TimeSpan wait ? (long)wait.TotalMilliseconds : (object)null };
    }

    /// <summary>What FindContact may be told.</summary>
    public sealed class ContactOptions : CallOptions
    {
        /// <summary>Engage's contact type.</summary>
        public string ContactType { get; set; }

        internal override Dictionary<string, object> ToJson() => new Dictionary<string, object>(base.ToJson()) { ["contactType"] = ContactType };
    }

    /// <summary>What Purchase may be told.</summary>
    public sealed class PurchaseOptions : CallOptions
    {
        /// <summary>The POS's own name for the sale, a receipt number: the same one is the same purchase.</summary>
        public string Reference { get; set; }

        /// <summary>A purchase id of the POS's own; see Client.NewId.</summary>
        public string PurchaseId { get; set; }

        /// <summary>Lists the member's rewards before anything is sent, so that FindReward can tell a new one from old ones.</summary>
        public bool SnapshotRewards { get; set; }

        internal override Dictionary<string, object> ToJson() => new Dictionary<string, object>(base.ToJson())
        {
            ["reference"] = Reference,
            ["purchaseId"] = PurchaseId,
            ["snapshotRewards"] = SnapshotRewards,
        };
    }

    /// <summary>What RedeemReward may be told.</summary>
    public sealed class RedeemOptions : CallOptions
    {
        /// <summary>"POS", the default, "ECOM" or "OTHER".</summary>
        public string Channel { get; set; }

        /// <summary>The POS's own name for the sale: the same one is the same redeem.</summary>
        public string Reference { get; set; }

        internal override Dictionary<string, object> ToJson() =>
            new Dictionary<string, object>(base.ToJson()) { ["channel"] = Channel, ["reference"] = Reference };
    }

    /// <summary>What ListRewards may be told.</summary>
    public sealed class RewardOptions : CallOptions
    {
        /// <summary>"POS", the default, "ECOM" or "OTHER".</summary>
        public string Channel { get; set; }

        internal override Dictionary<string, object> ToJson() => new Dictionary<string, object>(base.ToJson()) { ["channel"] = Channel };
    }
}
