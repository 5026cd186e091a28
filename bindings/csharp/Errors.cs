// The exceptions: one for each outcome that is not "completed". None is a kind of another, so that "pending" is never caught as "declined".

using System;
using System.Collections.Generic;
using System.Linq;

namespace EngagePointShop
{
    /// <summary>What the three outcomes have in common. Catch those, not this: what to do next is different for each.</summary>
    public abstract class PointShopException : Exception
    {
        internal PointShopException(Code code, string name, Json problem)
            : base(name + " (" + (int)code + "): " + (problem["message"].Text ?? "the library gave no details"))
        {
            Code = code;
            Name = name;
            Problem = problem;
        }

        /// <summary>The number. A newer library may give one that the enum does not list.</summary>
        public Code Code { get; }

        /// <summary>The number's name, "EPS_DECLINED".</summary>
        public string Name { get; }

        /// <summary>What is wrong and what to do, for people.</summary>
        public string Explanation => Problem["message"].Text;

        /// <summary>The HTTP status that was answered.</summary>
        public int? HttpStatus => (int?)Problem["httpStatus"].Integer;

        /// <summary>Engage's own error code.</summary>
        public string EngageCode => Problem["engageCode"].Text;

        /// <summary>The operation it is about.</summary>
        public string OperationId => Problem["operationId"].Text;

        /// <summary>The purchase it is about.</summary>
        public string PurchaseId => Problem["purchaseId"].Text;

        /// <summary>How many requests were made.</summary>
        public int Attempts => (int)(Problem["attempts"].Integer ?? 0);

        /// <summary>When trying again makes sense.</summary>
        public TimeSpan? RetryAfter =>
            Problem["retryAfterMs"].Integer is long ms ? TimeSpan.FromMilliseconds(ms) : (TimeSpan?)null;

        /// <summary>The causes, outermost first.</summary>
        public IReadOnlyList<string> Causes => Problem["cause"].Items.Select(cause => cause.Text).ToList();

        /// <summary>The problem object as it came.</summary>
        public Json Problem { get; }
    }

    /// <summary>Engage said no, definitely; nothing was deducted.</summary>
    public sealed class DeclinedException : PointShopException
    {
        internal DeclinedException(Code code, string name, Json problem) : base(code, name, problem) { }
    }

    /// <summary>Not known yet: the journal holds it and it is being settled. Never treat it as failed.</summary>
    public sealed class PendingException : PointShopException
    {
        internal PendingException(Code code, string name, Json problem) : base(code, name, problem) { }
    }

    /// <summary>Nothing that spends has left the till, or a read failed.</summary>
    public sealed class NotSentException : PointShopException
    {
        internal NotSentException(Code code, string name, Json problem) : base(code, name, problem) { }
    }

    /// <summary>The native library is missing, for another processor, or of another version than this assembly.</summary>
    public sealed class LibraryException : Exception
    {
        internal LibraryException(string message) : base(message) { }
    }
}
