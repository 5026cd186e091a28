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

        internal static IReadOnlyList<string> Texts(Json texts) => texts.Items.Select(text => text.Text).ToList();
    }

    /// <summary>An operation: a purchase or a redeem, as the journal holds it.</summary>
    public sealed class Operation : JsonObject
    {
        /// <summary>Takes the JSON of a result, also for the tests of a POS.</summary>
        public Operation(Json json) : base(json) { }

        internal static IReadOnlyList<Operation> List(Json json) => json["operations"].Items.Select(each => new Operation(each)).ToList();

        internal static CodeAction ActionOf(string name)
        {
            switch (name)
            {
                case "continue": return CodeAction.Continue;
                case "tellMember": return CodeAction.TellMember;
                case "retry": return CodeAction.Retry;
                case "fixProgram": return CodeAction.FixProgram;
                case "wait": return CodeAction.Wait;
                case "review": return CodeAction.Review;
                default: return CodeAction.Administrator;
            }
        }

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

        /// <summary>The name of the code, "EPS_DECLINED".</summary>
        public string Name => Json["name"].Text;

        /// <summary>Who acts on the code.</summary>
        public CodeAction Action => ActionOf(Json["action"].Text);

        /// <summary>The state in the journal.</summary>
        public string State => Json["state"].Text;

        /// <summary>The purchase id; null for a redeem.</summary>
        public string PurchaseId => Json["purchaseId"].Text;

        /// <summary>The member's contact id; null if it was not given.</summary>
        public string ContactId => Json["contactId"].Text;

        /// <summary>The id of the bought item; null for a redeem.</summary>
        public string ItemId => Json["itemId"].Text;

        /// <summary>The assignment id of the redeemed reward, or of the purchase's reward once
        /// FindReward was certain.</summary>
        public string AssignmentId => Json["assignmentId"].Text;

        /// <summary>What the cashier reads, in the language of the configuration.</summary>
        public string ForCashier => Json["forCashier"].Text;

        /// <summary>What the member is shown, in the language of the configuration.</summary>
        public string ForMember => Json["forMember"].Text;

        /// <summary>The channel of a redeem; null for a purchase.</summary>
        public string Channel => Json["channel"].Text;

        /// <summary>The POS's own name for the sale, for example a receipt number.</summary>
        public string Reference => Json["reference"].Text;

        /// <summary>The number of attempts: requests that may have spent.</summary>
        public int Attempts => (int)(Json["attempts"].Integer ?? 0);

        /// <summary>The HTTP status of the last response, if there was one.</summary>
        public int? HttpStatus => (int?)Json["httpStatus"].Integer;

        /// <summary>Engage's own error code, if there was one.</summary>
        public string EngageCode => Json["engageCode"].Text;

        /// <summary>The causes of the last response's code, outermost first.</summary>
        public IReadOnlyList<string> Causes => Texts(Json["cause"]);

        /// <summary>Engage's own ids of the requests.</summary>
        public IReadOnlyList<string> RequestIds => Texts(Json["requestIds"]);

        /// <summary>Whether the operation needs a manual review, because the library cannot resolve
        /// it.</summary>
        public bool NeedsReview => Json["needsReview"].Flag ?? false;

        /// <summary>Whether the call found an existing operation. Only Purchase and RedeemReward
        /// return this value.</summary>
        public bool Existing => (Json["existing"].Flag ?? false) || WasExisting;

        /// <summary>Of an operation that was awaited: whether its submission found it.</summary>
        internal bool WasExisting { get; set; }

        /// <summary>The time at which the intent was recorded.</summary>
        public DateTimeOffset? RecordedAt => Time(Json["recordedAtMs"]);

        /// <summary>The time at which the outcome became known.</summary>
        public DateTimeOffset? ResolvedAt => Time(Json["resolvedAtMs"]);

        /// <summary>The time at which the POS acknowledged the outcome.</summary>
        public DateTimeOffset? AcknowledgedAt => Time(Json["acknowledgedAtMs"]);

        /// <summary>The time by which a pending operation has an outcome at the latest, if that is
        /// known.</summary>
        public DateTimeOffset? ExpectedBy => Time(Json["expectedByMs"]);

        /// <summary>The time of the last status query.</summary>
        public DateTimeOffset? LastQueryAt => Time(Json["lastQueryAtMs"]);

        /// <summary>The time of the next status query, while the operation is pending.</summary>
        public DateTimeOffset? NextQueryAt => Time(Json["nextQueryAtMs"]);

        /// <summary>The code of the last attempt or status query.</summary>
        public Code? LastCode => (Code?)Json["lastCode"].Integer;

        /// <summary>The code with which the operation became pending.</summary>
        public Code? FirstPendingCode => (Code?)Json["firstPendingCode"].Integer;

        /// <summary>The number of status queries that no caller waited for.</summary>
        public int RetryCount => (int)(Json["retryCount"].Integer ?? 0);

        /// <summary>The decision of a person, or null.</summary>
        public Review Review => Json["review"].IsNull ? null : new Review(Json["review"]);

        /// <summary>The tenant to which the operation belongs.</summary>
        public string Tenant => Json["tenant"].Text;

        /// <summary>Whether the operation belongs to another tenant than the client's. The client
        /// neither queries nor sends it.</summary>
        public bool Foreign => Json["foreign"].Flag ?? false;

        /// <summary>The version of the library that wrote the record last.</summary>
        public string WriterVersion => Json["writerVersion"].Text;

        /// <summary>Engage's purchase object, once the purchase is completed.</summary>
        public Purchase Purchase => Json["purchase"].IsNull ? null : new Purchase(Json["purchase"]);

        /// <summary>Engage's reward object of a redeem, if Engage returned it.</summary>
        public Reward Reward => Json["reward"].IsNull ? null : new Reward(Json["reward"]);
    }

    /// <summary>The decision of a person about an operation in manual review.</summary>
    public sealed class Review : JsonObject
    {
        /// <summary>Takes the JSON of a result, also for the tests of a POS.</summary>
        public Review(Json json) : base(json) { }

        /// <summary>The decision: "completed" or "declined".</summary>
        public string Resolution => Json["resolution"].Text;

        /// <summary>The person who decided, or null.</summary>
        public string By => Json["by"].Text;

        /// <summary>The note, or null.</summary>
        public string Note => Json["note"].Text;

        /// <summary>The time of the decision.</summary>
        public DateTimeOffset? At => Time(Json["atMs"]);
    }

    /// <summary>One page of ListOperations.</summary>
    public sealed class OperationPage : JsonObject
    {
        internal OperationPage(Json json) : base(json)
        {
            Operations = Operation.List(json);
        }

        /// <summary>The operations, oldest first; a page may be empty.</summary>
        public IReadOnlyList<Operation> Operations { get; }

        /// <summary>The value of ListOptions.After for the next page; null behind the last
        /// page.</summary>
        public string Next => Json["next"].Text;
    }

    /// <summary>One of a member's point accounts.</summary>
    public sealed class PointAccount : JsonObject
    {
        /// <summary>Takes the JSON of a result, also for the tests of a POS.</summary>
        public PointAccount(Json json) : base(json) { }

        /// <summary>The balance, in points.</summary>
        public decimal Balance => Json["balance"].Number ?? 0;
    }

    /// <summary>An item that a member can buy.</summary>
    public sealed class Item : JsonObject
    {
        /// <summary>Takes the JSON of a result, also for the tests of a POS.</summary>
        public Item(Json json) : base(json) { }

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
        /// <summary>Takes the JSON of a result, also for the tests of a POS.</summary>
        public Purchase(Json json) : base(json) { }

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
        /// <summary>Takes the JSON of a result, also for the tests of a POS.</summary>
        public Reward(Json json) : base(json) { }

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
        /// <summary>Takes the JSON of a result, also for the tests of a POS.</summary>
        public FoundReward(Json json) : base(json) { }

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
        /// <summary>Takes the JSON of a result, also for the tests of a POS.</summary>
        public Receipt(Json json) : base(json) { }

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

        /// <summary>The type of the value.</summary>
        public string ValueType => Json["valueType"].Text;

        /// <summary>The value, in Engage's format.</summary>
        public Json Value => Json["value"];
    }

    /// <summary>The result of ResolvePending.</summary>
    public sealed class Resolution : JsonObject
    {
        /// <summary>Takes the JSON of a result, also for the tests of a POS.</summary>
        public Resolution(Json json) : base(json) { }

        /// <summary>The number of operations that were resolved.</summary>
        public int Known => (int)(Json["resolved"].Integer ?? 0);

        /// <summary>The number of operations that are still pending.</summary>
        public int Pending => (int)(Json["pending"].Integer ?? 0);
    }

    /// <summary>The result of BackupJournal.</summary>
    public sealed class JournalCopy : JsonObject
    {
        internal JournalCopy(Json json) : base(json) { }

        /// <summary>The path of the copy, as it was given.</summary>
        public string Path => Json["path"].Text;

        /// <summary>The size of the copy.</summary>
        public long Bytes => Json["bytes"].Integer ?? 0;

        /// <summary>The number of operations in the copy.</summary>
        public long Operations => Json["operations"].Integer ?? 0;
    }

    /// <summary>The result of Check.</summary>
    public sealed class HealthReport : JsonObject
    {
        /// <summary>Takes the JSON of a result, also for the tests of a POS.</summary>
        public HealthReport(Json json) : base(json) { }

        /// <summary>The worst status: "ok", "warn" or "fail".</summary>
        public string Status => Json["status"].Text;

        /// <summary>The checks.</summary>
        public IReadOnlyList<HealthCheck> Checks => Json["checks"].Items.Select(check => new HealthCheck(check)).ToList();

        /// <summary>The points of the pending purchases as far as they are known; null without a
        /// journal.</summary>
        public long? PendingPoints => Json["pendingPoints"].Integer;
    }

    /// <summary>One check of a HealthReport.</summary>
    public sealed class HealthCheck : JsonObject
    {
        internal HealthCheck(Json json) : base(json) { }

        /// <summary>The name.</summary>
        public string Name => Json["name"].Text;

        /// <summary>The status: "ok", "warn", "fail" or "unknown".</summary>
        public string Status => Json["status"].Text;

        /// <summary>What was found.</summary>
        public string Message => Json["message"].Text;

        /// <summary>Who does what, or null.</summary>
        public string Action => Json["action"].Text;

        /// <summary>Since when, or null.</summary>
        public DateTimeOffset? Since => Time(Json["sinceMs"]);
    }

    /// <summary>The counters since open, and the numbers of records in the journal.</summary>
    public sealed class Stats : JsonObject
    {
        /// <summary>Takes the JSON of a result, also for the tests of a POS.</summary>
        public Stats(Json json) : base(json) { }

        /// <summary>The library's version.</summary>
        public string Version => Json["version"].Text;

        /// <summary>The number of reads that were made.</summary>
        public long Reads => Json["reads"].Integer ?? 0;

        /// <summary>The number of attempts of purchases.</summary>
        public long PurchasesSent => Json["purchasesSent"].Integer ?? 0;

        /// <summary>The number of attempts of redeems.</summary>
        public long RedeemsSent => Json["redeemsSent"].Integer ?? 0;

        /// <summary>The number of status queries.</summary>
        public long StatusQueries => Json["statusQueries"].Integer ?? 0;

        /// <summary>The number of operations that became completed.</summary>
        public long Completed => Json["completed"].Integer ?? 0;

        /// <summary>The number of operations that became declined.</summary>
        public long Declined => Json["declined"].Integer ?? 0;

        /// <summary>The number of operations that became not sent.</summary>
        public long NotSent => Json["notSent"].Integer ?? 0;

        /// <summary>The number of pending operations in the journal; null without a
        /// journal.</summary>
        public long? Pending => Json["pending"].Integer;

        /// <summary>The number of unacknowledged operations in the journal; null without a
        /// journal.</summary>
        public long? Unacknowledged => Json["unacknowledged"].Integer;
    }

    /// <summary>The options of every call that makes a request to Engage.</summary>
    public class CallOptions
    {
        /// <summary>The longest wait of the call; the configuration's "waitMs" if null.</summary>
        public TimeSpan? Wait { get; set; }

        /// <summary>The name of the call for Client.CancelCall, at most 64 bytes.</summary>
        public string CallId { get; set; }

        internal virtual Dictionary<string, object> ToJson() => new Dictionary<string, object>
        {
            ["waitMs"] = Wait is TimeSpan wait ? (long)wait.TotalMilliseconds : (object)null,
            ["callId"] = CallId,
        };

        /// <summary>Returns a copy with a name for the call, unless it has one.</summary>
        internal CallOptions Named(string callId)
        {
            var copy = (CallOptions)MemberwiseClone();
            copy.CallId = CallId ?? callId;
            return copy;
        }
    }

    /// <summary>The options of Check.</summary>
    public sealed class CheckOptions : CallOptions
    {
        /// <summary>Whether only the checks are made that ask no server.</summary>
        public bool Offline { get; set; }

        internal override Dictionary<string, object> ToJson() => new Dictionary<string, object>(base.ToJson()) { ["offline"] = Offline };
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

        /// <summary>Whether Purchase returns the pending operation as soon as it is durable; see
        /// Client.SetNotify.</summary>
        public bool Submit { get; set; }

        internal override Dictionary<string, object> ToJson() => new Dictionary<string, object>(base.ToJson())
        {
            ["reference"] = Reference,
            ["purchaseId"] = PurchaseId,
            ["snapshotRewards"] = SnapshotRewards,
            ["submit"] = Submit,
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

        /// <summary>Whether RedeemReward returns the pending operation as soon as it is durable;
        /// see Client.SetNotify.</summary>
        public bool Submit { get; set; }

        internal override Dictionary<string, object> ToJson() => new Dictionary<string, object>(base.ToJson())
        {
            ["channel"] = Channel,
            ["reference"] = Reference,
            ["submit"] = Submit,
        };
    }

    /// <summary>The options of ListRewards.</summary>
    public sealed class RewardOptions : CallOptions
    {
        /// <summary>The channel: "POS" (the default), "ECOM" or "OTHER".</summary>
        public string Channel { get; set; }

        internal override Dictionary<string, object> ToJson() => new Dictionary<string, object>(base.ToJson()) { ["channel"] = Channel };
    }

    /// <summary>The options of ListUnacknowledged.</summary>
    public sealed class UnacknowledgedOptions
    {
        /// <summary>Only the operations of this reference, for example of one receipt.</summary>
        public string Reference { get; set; }

        internal Dictionary<string, object> ToJson() => new Dictionary<string, object> { ["reference"] = Reference };
    }

    /// <summary>The options of ListOperations.</summary>
    public sealed class ListOptions
    {
        /// <summary>The operations that were recorded from this time on.</summary>
        public DateTimeOffset? Since { get; set; }

        /// <summary>The operations that were recorded before this time.</summary>
        public DateTimeOffset? Until { get; set; }

        /// <summary>The operations of this outcome.</summary>
        public Outcome? Outcome { get; set; }

        /// <summary>The operations that are acknowledged, or that are not.</summary>
        public bool? Acknowledged { get; set; }

        /// <summary>The operations of this reference.</summary>
        public string Reference { get; set; }

        /// <summary>The most operations of a page, 1 to 1000; 100 if null.</summary>
        public int? Limit { get; set; }

        /// <summary>OperationPage.Next of the page before this one.</summary>
        public string After { get; set; }

        internal Dictionary<string, object> ToJson() => new Dictionary<string, object>
        {
            ["since"] = Since?.ToUnixTimeMilliseconds(),
            ["until"] = Until?.ToUnixTimeMilliseconds(),
            ["outcome"] = NameOf(Outcome),
            ["acknowledged"] = Acknowledged,
            ["reference"] = Reference,
            ["limit"] = Limit,
            ["after"] = After,
        };

        internal static string NameOf(Outcome? outcome)
        {
            switch (outcome)
            {
                case null: return null;
                case EngagePointShop.Outcome.Completed: return "completed";
                case EngagePointShop.Outcome.Declined: return "declined";
                case EngagePointShop.Outcome.NotSent: return "notSent";
                default: return "pending";
            }
        }
    }

    /// <summary>The options of ResolveReview. Each text has at most 200 bytes, and the journal
    /// keeps it.</summary>
    public sealed class ReviewOptions
    {
        /// <summary>The person who decided.</summary>
        public string By { get; set; }

        /// <summary>The reason.</summary>
        public string Note { get; set; }

        internal Dictionary<string, object> ToJson() => new Dictionary<string, object> { ["by"] = By, ["note"] = Note };
    }

    /// <summary>The configuration of a client. docs/configuration.md describes each key; the
    /// default applies to a null.</summary>
    public sealed class Configuration
    {
        /// <summary>The tenant's URL, "https://acme.voyado.com", or a relay's. Required.</summary>
        public string BaseUrl { get; set; }

        /// <summary>The POS and its version, "AcmePOS/1.5". Required.</summary>
        public string UserAgent { get; set; }

        /// <summary>The API key; null if a relay adds it.</summary>
        public string ApiKey { get; set; }

        /// <summary>The absolute path of the journal's file, on a local disk.</summary>
        public string JournalPath { get; set; }

        /// <summary>"memory" in place of a file: pending operations are lost with the
        /// process.</summary>
        public string Journal { get; set; }

        /// <summary>The longest wait of a call; 10 s if null.</summary>
        public TimeSpan? Wait { get; set; }

        /// <summary>The timeout of one request; 60 s if null.</summary>
        public TimeSpan? RequestTimeout { get; set; }

        /// <summary>A PEM file with root certificates, beside the system's.</summary>
        public string CaFile { get; set; }

        /// <summary>Whether the system's root certificates are used; true if null.</summary>
        public bool? SystemTrust { get; set; }

        /// <summary>A PEM file with the till's certificate, which a relay checks.</summary>
        public string ClientCertFile { get; set; }

        /// <summary>A PEM file with the key of ClientCertFile.</summary>
        public string ClientKeyFile { get; set; }

        /// <summary>"http://user:password@host:port" or "none"; the environment's proxy if
        /// null.</summary>
        public string Proxy { get; set; }

        /// <summary>Whether a connection is made on open; true if null.</summary>
        public bool? Preconnect { get; set; }

        /// <summary>The size limit of a response; 8388608 if null.</summary>
        public long? MaxResponseBytes { get; set; }

        /// <summary>The waits between status queries of a pending operation, in ms.</summary>
        public IReadOnlyList<long> RetryScheduleMs { get; set; }

        /// <summary>The time after an open within which the first status queries start; 300 s if
        /// null.</summary>
        public TimeSpan? StartupJitter { get; set; }

        /// <summary>The age after which a purchase is not sent again; 24 h if null.</summary>
        public TimeSpan? ResendLimit { get; set; }

        /// <summary>Whose operations the journal holds; the origin of BaseUrl if null.</summary>
        public string Tenant { get; set; }

        /// <summary>The longest delay with which Engage's history shows a purchase; 10 min if
        /// null.</summary>
        public TimeSpan? HistoryLag { get; set; }

        /// <summary>The time after its acknowledgement in which a reference means the same
        /// purchase; 12 h if null.</summary>
        public TimeSpan? ReferenceWindow { get; set; }

        /// <summary>"journal" (the default) or "tenant": purchase ids are derived from the
        /// sale.</summary>
        public string IdScope { get; set; }

        /// <summary>The language of ForCashier and ForMember: "en" (the default), "sv", "nb", "da",
        /// "fi" or "de".</summary>
        public string Language { get; set; }

        /// <summary>The absolute path of the library's own log file; none if null.</summary>
        public string LogFile { get; set; }

        /// <summary>The level of the lines in LogFile: "error", "warn", "info" (the default) or
        /// "debug".</summary>
        public string LogLevel { get; set; }

        /// <summary>The size at which LogFile is renamed and begun anew; 5 MiB if null.</summary>
        public long? LogFileBytes { get; set; }

        /// <summary>The number of log files, the newest one included; 5 if null.</summary>
        public int? LogFiles { get; set; }

        /// <summary>The time for which acknowledged records are kept, in days; 90 if
        /// null.</summary>
        public int? RetentionDays { get; set; }

        /// <summary>The path of the journal's seal; beside the journal if null.</summary>
        public string SealPath { get; set; }

        /// <summary>"live" (the default), or "copy" or "takeOver" for a journal that is a
        /// copy.</summary>
        public string JournalRole { get; set; }

        /// <summary>"refuse" (the default), or "accept" for a journal that has lost
        /// records.</summary>
        public string JournalRecovery { get; set; }

        /// <summary>The names in Engage's API that Voyado's public pages do not state.</summary>
        public Dictionary<string, object> ApiMapping { get; set; }

        internal Dictionary<string, object> ToJson() => new Dictionary<string, object>
        {
            ["baseUrl"] = BaseUrl,
            ["userAgent"] = UserAgent,
            ["apiKey"] = ApiKey,
            ["journalPath"] = JournalPath,
            ["journal"] = Journal,
            ["waitMs"] = Ms(Wait),
            ["requestTimeoutMs"] = Ms(RequestTimeout),
            ["caFile"] = CaFile,
            ["systemTrust"] = SystemTrust,
            ["clientCertFile"] = ClientCertFile,
            ["clientKeyFile"] = ClientKeyFile,
            ["proxy"] = Proxy,
            ["preconnect"] = Preconnect,
            ["maxResponseBytes"] = MaxResponseBytes,
            ["retryScheduleMs"] = RetryScheduleMs,
            ["startupJitterMs"] = Ms(StartupJitter),
            ["resendLimitMs"] = Ms(ResendLimit),
            ["tenant"] = Tenant,
            ["historyLagMs"] = Ms(HistoryLag),
            ["referenceWindowMs"] = Ms(ReferenceWindow),
            ["idScope"] = IdScope,
            ["language"] = Language,
            ["logFile"] = LogFile,
            ["logLevel"] = LogLevel,
            ["logFileBytes"] = LogFileBytes,
            ["logFiles"] = LogFiles,
            ["retentionDays"] = RetentionDays,
            ["sealPath"] = SealPath,
            ["journalRole"] = JournalRole,
            ["journalRecovery"] = JournalRecovery,
            ["apiMapping"] = ApiMapping,
        };

        static object Ms(TimeSpan? time) => time is TimeSpan span ? (long)span.TotalMilliseconds : (object)null;
    }
}
