/** One request as the edge of a node sees it: where it comes from, and what its route finds out about it (Edge.ts). */
import { Context } from "effect"
import type { ClientAddress, FindAddress } from "./ClientAddress.ts"

/** One request. The edge makes it when the request comes, and reads it when the answer goes. */
export class Visit {
  /** The template of the route that answers, as in `/api/notes/:id`; undefined if no route does. */
  route: string | undefined
  /** The id of the principal that has signed in. */
  principal: string | undefined
  /** The kind of the problem that is the answer. */
  problem: string | undefined
  /** Whether pages of listed origins may read the answer. */
  isShared = false
  private found: ClientAddress | undefined
  private isFound = false
  readonly method: string
  readonly headers: Readonly<Record<string, string | undefined>>
  /** When the request came, in ms of monotonic time; 0 if nobody asks. */
  readonly beganMs: number
  private readonly socket: string | undefined
  private readonly find: FindAddress

  constructor(
    request: Pick<Visit, "method" | "headers"> & { readonly socket: string | undefined },
    find: FindAddress,
    beganMs: number
  ) {
    this.method = request.method
    this.headers = request.headers
    this.socket = request.socket
    this.find = find
    this.beganMs = beganMs
  }

  /** Where the request comes from; undefined if its server does not say. Found when it is asked for first. */
  get address(): ClientAddress | undefined {
    if (!this.isFound) {
      this.found = this.find(this.socket, this.headers)
      this.isFound = true
    }
    return this.found
  }

  /** Whose streams the request opens; undefined for a program of this host that has not signed in. */
  get holder(): string | undefined {
    if (this.principal !== undefined) return `principal ${this.principal}`
    return this.limited === undefined ? undefined : `address ${this.limited}`
  }

  /** The key of limits by address; undefined for programs of this host, which have none. */
  get limited(): string | undefined {
    const { address } = this
    return address === undefined || address.isOfThisHost ? undefined : address.key
  }
}

/** The visit of the request that a route answers; undefined outside of a node's routes. */
export const CurrentVisit = Context.Reference<Visit | undefined>("lithair/Http/CurrentVisit", {
  defaultValue: () => undefined
})
