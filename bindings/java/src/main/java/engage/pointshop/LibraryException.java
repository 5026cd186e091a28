package engage.pointshop;

/** The native library is missing, for another processor, or of another version. */
public final class LibraryException extends RuntimeException {
    private static final long serialVersionUID = 1;

    LibraryException(String message, Throwable cause) {
        super(message, cause);
    }
}
