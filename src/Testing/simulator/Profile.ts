/** The kinds of load under which a cluster is judged. */

/** The kind of load that clients make. */
export type Profile = "read-only" | "mixed" | "write-only"

/** All of them. */
export const profiles: ReadonlyArray<Profile> = ["read-only", "mixed", "write-only"]
