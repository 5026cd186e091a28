// The calls of a client as an interface, so that the tests of a POS can replace it.

using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace EngagePointShop
{
    /// <summary>The calls of <see cref="Client"/>, which describes each of them.</summary>
    public interface IEngageClient : IDisposable
    {
        /// <summary>See <see cref="Client.Cancel"/>.</summary>
        void Cancel();

        /// <summary>See <see cref="Client.CancelCall"/>.</summary>
        void CancelCall(string callId);

        /// <summary>See <see cref="Client.FindContact"/>.</summary>
        string FindContact(string key, string value, ContactOptions options = null);

        /// <summary>See <see cref="Client.ListPoints"/>.</summary>
        IReadOnlyList<PointAccount> ListPoints(string contactId, CallOptions options = null);

        /// <summary>See <see cref="Client.ListItems"/>.</summary>
        IReadOnlyList<Item> ListItems(string contactId, CallOptions options = null);

        /// <summary>See <see cref="Client.Purchase"/>.</summary>
        Operation Purchase(string contactId, string itemId, PurchaseOptions options = null);

        /// <summary>See <see cref="Client.ListPurchases"/>.</summary>
        IReadOnlyList<Purchase> ListPurchases(string contactId, CallOptions options = null);

        /// <summary>See <see cref="Client.ListRewards"/>.</summary>
        IReadOnlyList<Reward> ListRewards(string contactId, RewardOptions options = null);

        /// <summary>See <see cref="Client.FindReward"/>.</summary>
        FoundReward FindReward(string operationId, CallOptions options = null);

        /// <summary>See <see cref="Client.RedeemReward"/>.</summary>
        Operation RedeemReward(string contactId, string assignmentId, RedeemOptions options = null);

        /// <summary>See <see cref="Client.ListUnacknowledged"/>.</summary>
        IReadOnlyList<Operation> ListUnacknowledged(UnacknowledgedOptions options = null);

        /// <summary>See <see cref="Client.ListOperations"/>.</summary>
        OperationPage ListOperations(ListOptions options = null);

        /// <summary>See <see cref="Client.GetOperation"/>.</summary>
        Operation GetOperation(string operationId);

        /// <summary>See <see cref="Client.ResolvePending"/>.</summary>
        Resolution ResolvePending(CallOptions options = null);

        /// <summary>See <see cref="Client.Acknowledge"/>.</summary>
        Operation Acknowledge(string operationId);

        /// <summary>See <see cref="Client.ResolveReview"/>.</summary>
        Operation ResolveReview(string operationId, string resolution, ReviewOptions options = null);

        /// <summary>See <see cref="Client.AcknowledgeReference"/>.</summary>
        IReadOnlyList<Operation> AcknowledgeReference(string reference);

        /// <summary>See <see cref="Client.BackupJournal"/>.</summary>
        JournalCopy BackupJournal(string path);

        /// <summary>See <see cref="Client.ReadStats"/>.</summary>
        Stats ReadStats();

        /// <summary>See <see cref="Client.Check(CheckOptions)"/>.</summary>
        HealthReport Check(CheckOptions options = null);

        /// <summary>See <see cref="Client.ReadMetrics"/>.</summary>
        string ReadMetrics();

        /// <summary>See <see cref="Client.FindContactAsync"/>.</summary>
        Task<string> FindContactAsync(string key, string value, ContactOptions options = null, CancellationToken cancellation = default(CancellationToken));

        /// <summary>See <see cref="Client.ListPointsAsync"/>.</summary>
        Task<IReadOnlyList<PointAccount>> ListPointsAsync(string contactId, CallOptions options = null, CancellationToken cancellation = default(CancellationToken));

        /// <summary>See <see cref="Client.ListItemsAsync"/>.</summary>
        Task<IReadOnlyList<Item>> ListItemsAsync(string contactId, CallOptions options = null, CancellationToken cancellation = default(CancellationToken));

        /// <summary>See <see cref="Client.PurchaseAsync"/>.</summary>
        Task<Operation> PurchaseAsync(string contactId, string itemId, PurchaseOptions options = null, CancellationToken cancellation = default(CancellationToken));

        /// <summary>See <see cref="Client.ListPurchasesAsync"/>.</summary>
        Task<IReadOnlyList<Purchase>> ListPurchasesAsync(string contactId, CallOptions options = null, CancellationToken cancellation = default(CancellationToken));

        /// <summary>See <see cref="Client.ListRewardsAsync"/>.</summary>
        Task<IReadOnlyList<Reward>> ListRewardsAsync(string contactId, RewardOptions options = null, CancellationToken cancellation = default(CancellationToken));

        /// <summary>See <see cref="Client.FindRewardAsync"/>.</summary>
        Task<FoundReward> FindRewardAsync(string operationId, CallOptions options = null, CancellationToken cancellation = default(CancellationToken));

        /// <summary>See <see cref="Client.RedeemRewardAsync"/>.</summary>
        Task<Operation> RedeemRewardAsync(string contactId, string assignmentId, RedeemOptions options = null, CancellationToken cancellation = default(CancellationToken));

        /// <summary>See <see cref="Client.ResolvePendingAsync"/>.</summary>
        Task<Resolution> ResolvePendingAsync(CallOptions options = null, CancellationToken cancellation = default(CancellationToken));

        /// <summary>See <see cref="Client.CheckAsync"/>.</summary>
        Task<HealthReport> CheckAsync(CheckOptions options = null, CancellationToken cancellation = default(CancellationToken));

        /// <summary>See <see cref="Client.ListUnacknowledgedAsync"/>.</summary>
        Task<IReadOnlyList<Operation>> ListUnacknowledgedAsync(UnacknowledgedOptions options = null);

        /// <summary>See <see cref="Client.GetOperationAsync"/>.</summary>
        Task<Operation> GetOperationAsync(string operationId);

        /// <summary>See <see cref="Client.AcknowledgeAsync"/>.</summary>
        Task<Operation> AcknowledgeAsync(string operationId);

        /// <summary>See <see cref="Client.DisposeAsync"/>.</summary>
        Task DisposeAsync();

        /// <summary>See <see cref="Client.SetNotify"/>.</summary>
        void SetNotify(Action<Operation> function);

        /// <summary>See <see cref="Client.SetLog"/>.</summary>
        void SetLog(LogLevel level, Action<LogLevel, string> function);
    }
}
