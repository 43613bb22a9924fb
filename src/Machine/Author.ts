/** Who wrote an operation. */

/** The author of an operation: a client's request, or a declared command, which may do more. */
export type Author = "request" | "command"
