// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

/** The outcome of a code. */
public enum Outcome {
    /** Engage has completed the operation, or a read has succeeded. */
    COMPLETED(0),
    /** Engage has declined the operation; nothing was deducted. */
    DECLINED(1),
    /** The outcome is not known yet. Never treat it as failed. */
    PENDING(2),
    /** No attempt has left the till, or a read failed. Try again. */
    NOT_SENT(3),
    ;

    private final int number;

    Outcome(int number) {
        this.number = number;
    }

    static Outcome of(int number) {
        for (Outcome outcome : values()) {
            if (outcome.number == number) {
                return outcome;
            }
        }
        return PENDING;
    }

    static Outcome named(String name) {
        for (Outcome outcome : values()) {
            if (outcome.name().replace("_", "").equalsIgnoreCase(name)) {
                return outcome;
            }
        }
        return PENDING;
    }
}
