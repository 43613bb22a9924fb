/** The line of the node's log that says where a node listens, which version it has, and who may ask it. */
import type { Auth, External } from "./Authenticator.ts"
import { version } from "./Version.ts"

/** Who may ask a node. Pure. */
const whoMayAsk = (auth: Auth<unknown> | External | undefined, isOpen: boolean): string => {
  if (auth === undefined) {
    return isOpen
      ? "it is open, and answers programs of this host only"
      : "it is open: everybody who reaches it may read and change everything"
  }
  if (auth._tag === "External") return "the application itself guards it"
  return `callers sign in by ${auth.authenticators.map(({ name }) => name).join(", ")}`
}

/** The line. `isOpen`: the node answers its own host alone. Pure. */
export const listeningLine = (options: {
  readonly nodeId: string
  readonly address: string
  readonly auth: Auth<unknown> | External | undefined
  readonly isOpen: boolean
}): string =>
  `Node ${options.nodeId} listens at ${options.address} (Lithair ${version}): ${whoMayAsk(options.auth, options.isOpen)}`
