// The exceptions: one for each outcome other than "completed". No exception derives from another
// one, so that a handler for "declined" never catches "pending".

using System;
using System.Collections.Generic;
using System.Linq;

namespace EngagePointShop
{
    /// <summary>The common part of the three outcomes. Catch the three types instead, because each
    /// needs another action.</summary>
    public abstract class PointShopException : Exception
    {
        internal PointShopException(Code code, string name, Json problem)
            : base(name + " (" + Native.Number((int)code) + "): " + (problem["message"].Text ?? Client.MeaningOf(code)))
        {
            Code = code;
            Name = name;
            Problem = problem;
        }

        /// <summary>The code. A newer library may return a number that the enum does not
        /// list.</summary>
        public Code Code { get; }

        /// <summary>The name of the code, "EPS_DECLINED".</summary>
        public string Name { get; }

        /// <summary>Who acts: the member is informed only if it is TellMember.</summary>
        public CodeAction Action => Client.ActionOf(Code);

        /// <summary>The message for a person: the problem and the next action.</summary>
        public string Explanation => Problem["message"].Text ?? Client.MeaningOf(Code);

        /// <summary>What the cashier reads, in the language of the configuration.</summary>
        public string ForCashier => Problem["forCashier"].Text;

        /// <summary>What the member is shown, in the language of the configuration.</summary>
        public string ForMember => Problem["forMember"].Text;

        /// <summary>The HTTP status of the response, if there was one.</summary>
        public int? HttpStatus => (int?)Problem["httpStatus"].Integer;

        /// <summary>Engage's own error code, if there was one.</summary>
        public string EngageCode => Problem["engageCode"].Text;

        /// <summary>The id of the operation, if there is one.</summary>
        public string OperationId => Problem["operationId"].Text;

        /// <summary>The purchase id, if the operation is a purchase.</summary>
        public string PurchaseId => Problem["purchaseId"].Text;

        /// <summary>The number of attempts: requests that may have spent.</summary>
        public int Attempts => (int)(Problem["attempts"].Integer ?? 0);

        /// <summary>The time to wait before another try, if the server gave one.</summary>
        public TimeSpan? RetryAfter =>
            Problem["retryAfterMs"].Integer is long ms ? TimeSpan.FromMilliseconds(ms) : (TimeSpan?)null;

        /// <summary>The causes, outermost first.</summary>
        public IReadOnlyList<string> Causes => Problem["cause"].Items.Select(cause => cause.Text).ToList();

        /// <summary>The operation; only of a purchase or a redeem with the option Submit, or of an
        /// awaited one.</summary>
        public Operation Operation => Problem["operation"].IsNull ? null : new Operation(Problem["operation"]);

        /// <summary>The whole problem object, unchanged.</summary>
        public Json Problem { get; }
    }

    /// <summary>Declined: Engage declined it definitely, and nothing was deducted.</summary>
    public sealed class DeclinedException : PointShopException
    {
        /// <summary>Makes the exception of a problem object, for the tests of a POS.</summary>
        public DeclinedException(Code code, string name, Json problem) : base(code, name, problem) { }
    }

    /// <summary>Pending: the outcome is not known yet and the library resolves it. Never treat
    /// it as failed.</summary>
    public sealed class PendingException : PointShopException
    {
        /// <summary>Makes the exception of a problem object, for the tests of a POS.</summary>
        public PendingException(Code code, string name, Json problem) : base(code, name, problem) { }
    }

    /// <summary>Not sent: nothing that spends has left the till, or a read failed.</summary>
    public sealed class NotSentException : PointShopException
    {
        /// <summary>Makes the exception of a problem object, for the tests of a POS.</summary>
        public NotSentException(Code code, string name, Json problem) : base(code, name, problem) { }
    }

    /// <summary>The native library is missing, for another processor, or of another version than
    /// this assembly.</summary>
    public sealed class LibraryException : Exception
    {
        /// <summary>Makes the exception, for the tests of a POS.</summary>
        public LibraryException(string message) : base(message) { }
    }
}
