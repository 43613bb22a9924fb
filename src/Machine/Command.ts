/** What a client asks of the machine, as JSON data. Pure. Nothing here is checked yet: `decide` trusts none of it. */

/** A condition on the record (If-Match): one of these versions, or any. On an absent record it fails. */
interface Conditional {
  readonly ifMatch?: "*" | ReadonlyArray<number>
}

/** A new record. Without an id, here or in the data, the deciding side makes one. */
export interface Create {
  readonly _tag: "Create"
  readonly model: string
  readonly id?: string
  readonly data: unknown
}

/** The whole record under an id: replaces it, or creates it. `ifNoneMatch` only creates (If-None-Match: *). */
export interface Put extends Conditional {
  readonly _tag: "Put"
  readonly model: string
  readonly id: string
  readonly data: unknown
  readonly ifNoneMatch?: boolean
}

/** A merge patch (RFC 7396) of the encoded record. */
export interface Patch extends Conditional {
  readonly _tag: "Patch"
  readonly model: string
  readonly id: string
  readonly data: unknown
}

/** The end of a record; its versions go on if the id is created again. */
export interface Delete extends Conditional {
  readonly _tag: "Delete"
  readonly model: string
  readonly id: string
}

/** A change of one record. */
export type Operation = Create | Put | Patch | Delete

/** Changes that happen together or not at all, each seeing those before it. */
export interface Transact {
  readonly _tag: "Transact"
  readonly operations: ReadonlyArray<Operation>
}

/** Who asks, and what makes a copy of the request recognisable. */
export interface Origin {
  readonly principal?: string
  /** The client's idempotency key, with a fingerprint of the request that first carried it. */
  readonly key?: string
  readonly fingerprint?: string
  /** The name of the declared command that these operations are, if it is one. */
  readonly name?: string
}

/** What is decided as one entry. */
export type Command = (Operation | Transact) & Origin

/** The operations of a command, in order. */
export const operationsOf = (command: Command): ReadonlyArray<Operation> =>
  command._tag === "Transact" ? command.operations : [command]
