// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

/** The options of a call. engage_point_shop.h lists those of each function; another one is an
 *  error. */
public final class Options extends Settings<Options> {

    /** Only the acknowledged operations, or only the others. */
    public Options acknowledged(boolean value) {
        return set("acknowledged", value);
    }

    /** The "next" of the page before this one. */
    public Options after(String value) {
        return set("after", value);
    }

    /** The person who decided. At most 200 bytes. */
    public Options by(String value) {
        return set("by", value);
    }

    /** The name of the call for eps_cancel_call. At most 64 bytes. */
    public Options callId(String value) {
        return set("callId", value);
    }

    /** The channel of the redeem. */
    public Options channel(String value) {
        return set("channel", value);
    }

    /** Engage's contact type. */
    public Options contactType(String value) {
        return set("contactType", value);
    }

    /** The most operations of a page. */
    public Options limit(long value) {
        return set("limit", value);
    }

    /** The reason. At most 200 bytes. */
    public Options note(String value) {
        return set("note", value);
    }

    /** Whether only the checks are made that ask no server. */
    public Options offline(boolean value) {
        return set("offline", value);
    }

    /** Only this outcome. */
    public Options outcome(String value) {
        return set("outcome", value);
    }

    /** An identifier of the form 8-4-4-4-12, in upper or lower case. */
    public Options purchaseId(String value) {
        return set("purchaseId", value);
    }

    /** Only the operations of this reference. At most 200 bytes. */
    public Options reference(String value) {
        return set("reference", value);
    }

    /** Recorded from this time on, in ms since 1970 UTC. */
    public Options since(long value) {
        return set("since", value);
    }

    /** Whether the member's rewards are listed first. */
    public Options snapshotRewards(boolean value) {
        return set("snapshotRewards", value);
    }

    /** Whether the call returns as soon as the operation is durable. */
    public Options submit(boolean value) {
        return set("submit", value);
    }

    /** Recorded before this time, in ms since 1970 UTC. */
    public Options until(long value) {
        return set("until", value);
    }

    /** The longest wait of the call, in ms. */
    public Options waitMs(long value) {
        return set("waitMs", value);
    }
}
