/** What tells a request of a node's own code from another one with its key. Of a client's request it is HTTP's to say. */
import { createHash } from "node:crypto"

/** Equal for equal texts of requests. */
export const fingerprintOf = (request: string): string => createHash("sha256").update(request).digest("base64url")
