// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

import java.util.Map;

/** The configuration of eps_client_open. The default applies to a null. */
public final class Config extends Settings<Config> {

    /** The tenant's URL, or the address of a store relay. */
    public Config baseUrl(String value) {
        return set("baseUrl", value);
    }

    /** The POS and its version. */
    public Config userAgent(String value) {
        return set("userAgent", value);
    }

    /** The API key; absent when a relay adds it. */
    public Config apiKey(String value) {
        return set("apiKey", value);
    }

    public Config apiMapping(Map<String, Object> value) {
        return set("apiMapping", value);
    }

    /** A PEM file with root certificates, beside the system's. */
    public Config caFile(String value) {
        return set("caFile", value);
    }

    /** A PEM file with the till's certificate. */
    public Config clientCertFile(String value) {
        return set("clientCertFile", value);
    }

    /** A PEM file with the key of clientCertFile. */
    public Config clientKeyFile(String value) {
        return set("clientKeyFile", value);
    }

    /** The longest delay with which Engage's history shows a purchase. */
    public Config historyLagMs(long value) {
        return set("historyLagMs", value);
    }

    /** Whether a purchase id is random, or derived from tenant, reference, contact and item. */
    public Config idScope(String value) {
        return set("idScope", value);
    }

    /** In place of a file: pending operations are lost when the process ends. */
    public Config journal(String value) {
        return set("journal", value);
    }

    /** The absolute path of the journal's file, on a local disk. */
    public Config journalPath(String value) {
        return set("journalPath", value);
    }

    /** How a journal that has lost records is opened. */
    public Config journalRecovery(String value) {
        return set("journalRecovery", value);
    }

    /** How a journal that is a copy is opened. */
    public Config journalRole(String value) {
        return set("journalRole", value);
    }

    /** The language of forCashier and forMember. */
    public Config language(String value) {
        return set("language", value);
    }

    /** The absolute path of the library's own log file. */
    public Config logFile(String value) {
        return set("logFile", value);
    }

    /** The size at which logFile is renamed and begun anew. */
    public Config logFileBytes(long value) {
        return set("logFileBytes", value);
    }

    /** The number of log files, the newest one included. */
    public Config logFiles(long value) {
        return set("logFiles", value);
    }

    /** The level of the lines in logFile. */
    public Config logLevel(String value) {
        return set("logLevel", value);
    }

    /** The size limit of a response. */
    public Config maxResponseBytes(long value) {
        return set("maxResponseBytes", value);
    }

    /** Whether a connection is made on open. */
    public Config preconnect(boolean value) {
        return set("preconnect", value);
    }

    /** A proxy, or "none"; absent for the environment's. */
    public Config proxy(String value) {
        return set("proxy", value);
    }

    /** How long after its acknowledgement a reference still means the same purchase. */
    public Config referenceWindowMs(long value) {
        return set("referenceWindowMs", value);
    }

    /** The timeout of one request. */
    public Config requestTimeoutMs(long value) {
        return set("requestTimeoutMs", value);
    }

    /** The age after which a purchase is not sent again. */
    public Config resendLimitMs(long value) {
        return set("resendLimitMs", value);
    }

    /** The time for which acknowledged records are kept, in days. */
    public Config retentionDays(long value) {
        return set("retentionDays", value);
    }

    /** The waits between status queries of a pending operation. The last one repeats. */
    public Config retryScheduleMs(long... value) {
        return set("retryScheduleMs", value);
    }

    /** The path of the journal's seal; absent for the journal's path and "-seal". */
    public Config sealPath(String value) {
        return set("sealPath", value);
    }

    /** The time after an open within which the first status queries start. */
    public Config startupJitterMs(long value) {
        return set("startupJitterMs", value);
    }

    /** Whether the system's root certificates are used. */
    public Config systemTrust(boolean value) {
        return set("systemTrust", value);
    }

    /** Whose operations the journal holds; absent for the origin of baseUrl. At most 200
     *  bytes. */
    public Config tenant(String value) {
        return set("tenant", value);
    }

    /** The longest wait of a call. */
    public Config waitMs(long value) {
        return set("waitMs", value);
    }
}
