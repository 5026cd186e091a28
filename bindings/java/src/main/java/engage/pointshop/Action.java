// Made by `cargo xtask header`; do not edit.

package engage.pointshop;

/** Who acts on a code. An action that is newer than this binding is the administrator's. */
public enum Action {
    /** The POS goes on. */
    CONTINUE("continue"),
    /** The cashier informs the member. */
    TELL_MEMBER("tellMember"),
    /** The POS or the cashier may try again. */
    RETRY("retry"),
    /** The administrator corrects the till, the network or the key. */
    ADMINISTRATOR("administrator"),
    /** The vendor of the POS corrects the program. */
    FIX_PROGRAM("fixProgram"),
    /** Nobody acts: the library resolves the operation. */
    WAIT("wait"),
    /** A person decides about the operation. */
    REVIEW("review"),
    ;

    private final String text;

    Action(String text) {
        this.text = text;
    }

    static Action named(String text) {
        for (Action action : values()) {
            if (action.text.equals(text)) {
                return action;
            }
        }
        return ADMINISTRATOR;
    }
}
