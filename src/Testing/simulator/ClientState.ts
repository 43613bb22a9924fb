/** What the clients of a simulated cluster remember. Pure data; Clients.ts changes it. */
import type { Event } from "../History.ts"
import type * as Promises from "./Promises.ts"
import type { Invocation, Request, Seen } from "./Request.ts"

/** The request that a client waits for. */
export interface Current {
  readonly request: Request
  readonly tag: string
  /** The client's own key, or the one that a node gave it, once the client knows of it. */
  key: string | undefined
  readonly isKeyed: boolean
  /** The holder of the client's own key. */
  readonly holder: string
  readonly beganMs: number
  readonly invocations: ReadonlyArray<Invocation & { readonly process: number }>
  /** How much any node had committed when the request began: a read must see that. */
  readonly beganAtCount: number
  attemptsCount: number
  /** An attempt may be done, so refusals of other attempts settle nothing. */
  isUnknown: boolean
  /** The attempt under way: how to call it off on its node, and whether it is then certainly not done. */
  attempt:
    | {
        readonly name: string
        readonly asked: Promises.Asked
        readonly callOff: () => boolean
        /** The client waits no longer for it. */
        readonly untilMs: number
        /** The key that a node gave it. */
        assignedKey: string | undefined
      }
    | undefined
}

/** A client: what it has seen of each record, and its request. */
export interface Client {
  readonly seen: Map<string, Seen>
  current: Current | undefined
  /** The last key with an answer, its holder, and when the client made the key. */
  used: { readonly key: string; readonly holder: string; readonly beganMs: number } | undefined
  /** An index that an answer to this client has reflected: its dated keys say it. */
  heardIndex: number
}

/** All clients of a cluster. */
export interface Clients {
  readonly all: ReadonlyArray<Client>
  readonly history: Array<Event>
  nextProcess: number
  readonly counts: Counts
}

/** How often clients did what. */
export interface Counts {
  reads: number
  leaseReads: number
  retries: number
  unknown: number
  /** Transfers that the declared command did, and those that it refused. */
  declaredTransfers: number
  declinedTransfers: number
  /** Keys: given by nodes and used by clients, asked about, closed, answered from the log alone, and refused. */
  assigned: number
  inquiries: number
  closed: number
  recalled: number
  exhausted: number
  expired: number
}
