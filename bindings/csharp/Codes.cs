// Made by `cargo xtask header` from the library's table of codes; do not edit.

using System.Collections.Generic;
using System.Reflection;

[assembly: AssemblyTitle("EngagePointShop")]
[assembly: AssemblyProduct("engage-point-shop")]
[assembly: AssemblyVersion("0.1.0.0")]
[assembly: AssemblyFileVersion("0.1.0.0")]
[assembly: AssemblyInformationalVersion("0.1.0")]

namespace EngagePointShop
{
    internal static class Abi
    {
        internal const uint Version = 1;
    }

    /// <summary>The outcome of a code.</summary>
    public enum Outcome
    {
        /// <summary>Engage has completed the operation, or a read has succeeded.</summary>
        Completed = 0,
        /// <summary>Engage has declined the operation; nothing was deducted.</summary>
        Declined = 1,
        /// <summary>The outcome is not known yet. Never treat it as failed.</summary>
        Pending = 2,
        /// <summary>No attempt has left the till, or a read failed. Try again.</summary>
        NotSent = 3,
    }

    /// <summary>The log levels. Each level includes the levels above it.</summary>
    public enum LogLevel
    {
        /// <summary>No lines.</summary>
        Off = 0,
        /// <summary>Faults that need an administrator: the journal fails, the key is
        /// rejected.</summary>
        Error = 1,
        /// <summary>Reads and status queries that failed, log lines that were dropped.</summary>
        Warn = 2,
        /// <summary>Every attempt, and its outcome.</summary>
        Info = 3,
        /// <summary>Every read and every request.</summary>
        Debug = 4,
    }

    /// <summary>The results of a call. A newer library may return other numbers.</summary>
    public enum Code
    {

        // 0, completed: go on, then acknowledge.
        /// <summary>Completed. A purchase: Engage has completed it.</summary>
        Ok = 0,

        // -1xx, the caller's mistake: fix the program.
        /// <summary>A required pointer is NULL; the message names the argument.</summary>
        NullArgument = -101,
        /// <summary>An argument is not valid UTF-8; the message names it and the byte.</summary>
        BadUtf8 = -102,
        /// <summary>A required argument is empty; the message names it.</summary>
        EmptyArgument = -103,
        /// <summary>An identifier is not a GUID of the form 8-4-4-4-12; the message names
        /// it.</summary>
        NotAGuid = -104,
        /// <summary>options_json is not a JSON object, or a key in it is unknown, of the wrong type
        /// or out of range; the message names the key.</summary>
        BadOptions = -105,
        /// <summary>The pointer is not a client of this library.</summary>
        BadHandle = -106,
        /// <summary>The client is closed or being closed.</summary>
        Closed = -107,
        /// <summary>This till has used the purchase id for another contact or another item. Use a
        /// fresh id.</summary>
        PurchaseIdConflict = -108,
        /// <summary>The journal holds no operation of this id.</summary>
        UnknownOperation = -109,
        /// <summary>The operation cannot be acknowledged: its outcome is not known yet.</summary>
        StillPending = -110,
        /// <summary>The log level is none of EPS_LOG_OFF to EPS_LOG_DEBUG.</summary>
        BadLogLevel = -111,
        /// <summary>This reference and item already belong to another purchase id, or to a sale of
        /// another contact or tenant that is not acknowledged.</summary>
        ReferenceConflict = -112,
        /// <summary>The key to find a contact by is none of email, mobilePhone,
        /// socialSecurityNumber, customKey and any.</summary>
        BadKey = -113,
        /// <summary>The process was forked from one that had opened a client. Open the first client
        /// after the fork, or start a new program.</summary>
        Forked = -116,
        /// <summary>Another redeem of this reward, for another reference or channel, is pending on
        /// this till. Wait for its outcome.</summary>
        RewardInUse = -114,
        /// <summary>The reference belongs to an operation that was acknowledged before
        /// referenceWindowMs. Put the date and the line into the reference, or leave the reference
        /// out and pass a purchase id of your own.</summary>
        ReferenceReused = -117,
        /// <summary>The operation is a redeem; only a purchase gives a reward.</summary>
        NotAPurchase = -115,

        // -2xx, configuration or credentials: call the administrator.
        /// <summary>config_json is not a JSON object, or a key in it is missing, unknown, of the
        /// wrong type or out of range; the message names the key.</summary>
        BadConfig = -200,
        /// <summary>The program was compiled against the header of another ABI version.</summary>
        AbiMismatch = -210,
        /// <summary>No certificate authority could be loaded from caFile or from the operating
        /// system.</summary>
        NoCaCertificates = -211,
        /// <summary>Engage responded with status 401: the API key is missing, wrong or revoked.
        /// Nothing was deducted.</summary>
        Unauthorized = -212,
        /// <summary>Engage responded with status 403: the API key may not do this. Nothing was
        /// deducted.</summary>
        Forbidden = -213,
        /// <summary>InvalidSystemConfiguration: Engage itself is not set up for this; no retry
        /// cures it.</summary>
        SystemConfiguration = -214,
        /// <summary>The proxy requires a user and a password, or rejects the configured ones.
        /// Nothing was sent.</summary>
        ProxyLogin = -215,

        // -3xx, declined: nothing was deducted. Inform the member.
        /// <summary>Engage has declined it; httpStatus and engageCode say more. Nothing was
        /// deducted.</summary>
        Declined = -300,
        /// <summary>PromotionAssignmentContactNotFound or ContactNotFound: there is no such
        /// contact.</summary>
        ContactNotFound = -310,
        /// <summary>PromotionAssignmentPromotionNotFound: the promotion linked to the item was
        /// removed.</summary>
        PromotionNotFound = -311,
        /// <summary>PromotionAssignmentPromotionExpired: the promotion linked to the item has
        /// ended.</summary>
        PromotionExpired = -312,
        /// <summary>404: the item does not exist.</summary>
        ItemNotFound = -313,
        /// <summary>PointShopItemPurchaseFailed, or the purchase's status is Failed.</summary>
        PurchaseFailed = -314,
        /// <summary>422: not enough points, not eligible, or outside the item's window.</summary>
        PurchaseNotAllowed = -315,
        /// <summary>400 without a code: for a purchase, its id belongs to another
        /// contact.</summary>
        InvalidRequest = -316,
        /// <summary>InvalidContact: Engage does not accept the contact id.</summary>
        InvalidContact = -317,
        /// <summary>InvalidEmailAddress: Engage does not accept the e-mail address.</summary>
        InvalidEmail = -318,
        /// <summary>InvalidPhoneNumber: Engage does not accept the phone number.</summary>
        InvalidPhone = -319,
        /// <summary>InvalidSocialSecurityNumber: Engage does not accept the number.</summary>
        InvalidSocialSecurityNumber = -320,
        /// <summary>InvalidContactType: Engage does not know the contactType.</summary>
        InvalidContactType = -321,
        /// <summary>InvalidSearchQuery: Engage does not accept the search.</summary>
        InvalidSearch = -322,
        /// <summary>MultipleMatches: more than one contact fits; use a key that is
        /// unique.</summary>
        MultipleMatches = -323,
        /// <summary>NotAValidRedemptionChannel: Engage does not know the channel.</summary>
        InvalidChannel = -324,
        /// <summary>InvalidPromotionIdNoData: Engage does not accept the assignment id.</summary>
        InvalidReward = -325,
        /// <summary>PromotionNotFound, or 404: there is no such reward. A promotionId is no
        /// assignment id.</summary>
        RewardNotFound = -326,
        /// <summary>PromotionNotAssociatedWithContact: the reward is not this member's.</summary>
        RewardNotOfContact = -327,
        /// <summary>PromotionAlreadyRedeemed: the reward was used before, and not by this
        /// operation.</summary>
        AlreadyRedeemed = -328,
        /// <summary>PromotionNotValidForRedemptionChannel: the reward cannot be used on this
        /// channel.</summary>
        RewardNotForChannel = -329,

        // -4xx, not sent, or a read that failed: try again.
        /// <summary>No connection to the server could be made.</summary>
        Offline = -411,
        /// <summary>The server's name could not be resolved.</summary>
        DnsFailed = -412,
        /// <summary>The TLS handshake failed; cause names the reason to its last link.</summary>
        TlsFailed = -413,
        /// <summary>The wait ended: a read has no response, or a purchase was withdrawn before
        /// anything was sent.</summary>
        TimedOut = -414,
        /// <summary>eps_cancel: a read has no response, or a purchase was withdrawn before anything
        /// was sent.</summary>
        Cancelled = -415,
        /// <summary>429 to a read: too many requests with this API key; retryAfterMs says when to
        /// try again if Engage said so.</summary>
        RateLimited = -416,
        /// <summary>The response to a read is not Engage's JSON: a web page, cut off, or of another
        /// shape.</summary>
        InvalidResponse = -417,
        /// <summary>The response to a read is larger than maxResponseBytes.</summary>
        ResponseTooLarge = -418,
        /// <summary>The server responded to a read with a 5xx status, or with 408 or 425.</summary>
        ServerError = -419,
        /// <summary>The connection ended before the response to a read was complete.</summary>
        ConnectionLost = -420,
        /// <summary>The proxy does not connect to the server; the message has its status. Nothing
        /// was sent.</summary>
        ProxyFailed = -421,
        /// <summary>There was no memory for a response, a list or a thread. Nothing was
        /// sent.</summary>
        OutOfMemory = -422,

        // -5xx, pending: the outcome is not known yet. Let the sale go on. The library resolves it.
        /// <summary>The outcome is not known yet; httpStatus and engageCode say more.</summary>
        Pending = -500,
        /// <summary>The wait ended before Engage responded. The request goes on and its response is
        /// journaled.</summary>
        PendingWaitEnded = -510,
        /// <summary>eps_cancel ended the wait. The request goes on and its response is
        /// journaled.</summary>
        PendingCancelled = -511,
        /// <summary>The connection ended after the request may have left and before its response
        /// came.</summary>
        PendingConnectionLost = -512,
        /// <summary>Engage is still processing it (PointShopItemPurchaseProcessingTimedOut, or
        /// status Processing).</summary>
        PendingProcessing = -513,
        /// <summary>The response is not Engage's (a web page, cut off, another shape), or this
        /// version does not know its status.</summary>
        PendingInvalidResponse = -514,
        /// <summary>A 5xx response: Engage, a gateway or a proxy failed, and the purchase may have
        /// been made.</summary>
        PendingServerError = -515,
        /// <summary>PromotionAssignmentError: an internal error of Engage, to be retried with the
        /// same id.</summary>
        PendingAssignmentError = -516,
        /// <summary>429: too many requests with this API key. The library tries again by
        /// itself.</summary>
        PendingRateLimited = -517,
        /// <summary>The outcome could not be written to the journal. The library queries it
        /// again.</summary>
        PendingNotPersisted = -518,
        /// <summary>The client was closed during the wait. The operation is resolved after the next
        /// open.</summary>
        PendingClosed = -519,
        /// <summary>Older than resendLimitMs, and Engage does not show it: it is not sent again,
        /// and a person must decide.</summary>
        PendingNeedsReview = -520,
        /// <summary>An earlier attempt may have been processed, and Engage now responds with 401 or
        /// 403. Have the administrator check the API key.</summary>
        PendingCredentials = -521,
        /// <summary>Engage shows a redeemed reward, or after a loss of records a purchase of the
        /// same item, and nothing proves whether it is of this operation. A person must
        /// decide.</summary>
        PendingAmbiguous = -522,
        /// <summary>The operation is durable and is being sent.</summary>
        PendingSubmitted = -523,
        /// <summary>There was no memory for the response of an attempt.</summary>
        PendingOutOfMemory = -524,

        // -6xx, the journal cannot be used: nothing was sent. Call the administrator.
        /// <summary>The journal could not be read or written. Nothing was sent.</summary>
        Journal = -600,
        /// <summary>The journal cannot be opened: no such folder, a folder in its place, no
        /// permission.</summary>
        JournalCannotOpen = -610,
        /// <summary>The disk that holds the journal is full. Nothing was sent.</summary>
        JournalFull = -611,
        /// <summary>Another program holds the journal locked. Nothing was sent.</summary>
        JournalLocked = -612,
        /// <summary>The journal was written by a newer version of this library. It was left
        /// untouched.</summary>
        JournalNewer = -613,
        /// <summary>The journal is damaged. It was left untouched.</summary>
        JournalDamaged = -614,
        /// <summary>The file at journalPath belongs to another program. It was left
        /// untouched.</summary>
        JournalForeign = -615,
        /// <summary>The journal can be read but not written. Nothing was sent.</summary>
        JournalReadOnly = -616,
        /// <summary>Records are missing (a lost, damaged or older file). The message says since
        /// when, and the way out.</summary>
        JournalIncomplete = -617,
        /// <summary>The journal is a copy; see journalRole.</summary>
        JournalCopy = -618,
        /// <summary>Another copy of this library in this process has the journal open.</summary>
        JournalSecondCopy = -619,
        /// <summary>The files on the disk are no longer the ones that are open.</summary>
        JournalReplaced = -620,
        /// <summary>The file is not a regular file, is reached by a link, or belongs to or may be
        /// written by others.</summary>
        JournalUnsafe = -621,
        /// <summary>The disk did not respond within the wait.</summary>
        JournalTimedOut = -622,

        // -9xx, a fault of the library: report it.
        /// <summary>A fault of this library (a caught panic). If it was a purchase, its outcome is
        /// in the journal. Please report it.</summary>
        Internal = -900,
    }

    /// <summary>Who acts on a code. An action that is newer than this binding is the
    /// administrator's.</summary>
    public enum CodeAction
    {
        /// <summary>The POS goes on.</summary>
        Continue,
        /// <summary>The cashier informs the member.</summary>
        TellMember,
        /// <summary>The POS or the cashier may try again.</summary>
        Retry,
        /// <summary>The administrator corrects the till, the network or the key.</summary>
        Administrator,
        /// <summary>The vendor of the POS corrects the program.</summary>
        FixProgram,
        /// <summary>Nobody acts: the library resolves the operation.</summary>
        Wait,
        /// <summary>A person decides about the operation.</summary>
        Review,
    }

    /// <summary>What the cashier reads and what the member is shown of a problem that the
    /// binding reports itself, in each language. It was interrupted; it is not available; it is
    /// not clear yet.</summary>
    internal static class Texts
    {
        internal static readonly Dictionary<string, string[]> Of = new Dictionary<string, string[]>
        {
            ["en"] = new[]
            {
                "This was interrupted. Try again.",
                "This was interrupted. We will try again.",
                "Not available now. Call support.",
                "Points and rewards are not available right now.",
                "Not clear yet. Finish the sale, and call support.",
                "Your request takes a little longer. You will see it in your points.",
            },
            ["sv"] = new[]
            {
                "Det avbröts. Försök igen.",
                "Det avbröts. Vi försöker igen.",
                "Går inte just nu. Ring supporten.",
                "Poäng och förmåner är inte tillgängliga just nu.",
                "Inte klart än. Slutför köpet och ring supporten.",
                "Ditt köp tar lite längre tid. Du ser det bland dina poäng.",
            },
            ["nb"] = new[]
            {
                "Det ble avbrutt. Prøv igjen.",
                "Det ble avbrutt. Vi prøver igjen.",
                "Ikke tilgjengelig nå. Ring brukerstøtte.",
                "Poeng og fordeler er ikke tilgjengelige akkurat nå.",
                "Ikke klart ennå. Fullfør salget og ring brukerstøtte.",
                "Kjøpet ditt tar litt lengre tid. Du ser det blant poengene dine.",
            },
            ["da"] = new[]
            {
                "Det blev afbrudt. Prøv igen.",
                "Det blev afbrudt. Vi prøver igen.",
                "Ikke muligt lige nu. Ring til support.",
                "Point og fordele er ikke tilgængelige lige nu.",
                "Ikke klart endnu. Afslut salget, og ring til support.",
                "Dit køb tager lidt længere tid. Du kan se det blandt dine point.",
            },
            ["fi"] = new[]
            {
                "Tämä keskeytyi. Yritä uudelleen.",
                "Tämä keskeytyi. Yritämme uudelleen.",
                "Ei käytettävissä juuri nyt. Soita tukeen.",
                "Pisteet ja edut eivät ole juuri nyt käytettävissä.",
                "Ei vielä selvillä. Vie myynti loppuun ja soita tukeen.",
                "Ostosi kestää hieman kauemmin. Näet sen pisteissäsi.",
            },
            ["de"] = new[]
            {
                "Das wurde unterbrochen. Noch einmal versuchen.",
                "Das wurde unterbrochen. Wir versuchen es noch einmal.",
                "Zurzeit nicht möglich. Den Support anrufen.",
                "Punkte und Prämien sind zurzeit nicht verfügbar.",
                "Noch unklar. Verkauf abschließen und den Support anrufen.",
                "Ihr Kauf dauert etwas länger. Sie sehen ihn bei Ihren Punkten.",
            },
        };
    }
}
