// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

/** The log levels. Each level includes the levels above it. */
public final class LogLevel {
    private LogLevel() {}
    /** No lines. */
    public static final int OFF = 0;
    /** Faults that need an administrator: the journal fails, the key is rejected. */
    public static final int ERROR = 1;
    /** Reads and status queries that failed, log lines that were dropped. */
    public static final int WARN = 2;
    /** Every attempt, and its outcome. */
    public static final int INFO = 3;
    /** Every read and every request. */
    public static final int DEBUG = 4;
}
