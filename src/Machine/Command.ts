/** What a client asks of the machine, as JSON data. Pure. Nothing here is checked yet: `decide` trusts none of it. */
import type { Keyed } from "./Sessions.ts"

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

/** A merge patch (RFC 7396) of the encoded record. A field that must be there and admits null is null where it says so. */
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
  /** What it is called in its entry, and answered as. */
  readonly name?: "Bulk"
}

/** A declared command: what it does is up to the procedure of this name on the deciding side (Procedure.ts). */
export interface Call {
  readonly _tag: "Call"
  readonly name: string
  readonly payload: unknown
}

/** Who asks, and what makes a copy of the request recognisable. */
export interface Origin {
  readonly principal?: string
  /** The client's idempotency key, with a fingerprint of the request that first carried it. */
  readonly key?: string
  readonly fingerprint?: string
  /** The key that a node assigned to a command without one (AssignedKey.ts). No client knows it yet. */
  readonly assignedKey?: string
}

/** The end of a key of which nothing became: no copy of its request is done ever after. */
export interface Close {
  readonly _tag: "Close"
}

/** What is decided as one entry. */
export type Command = (Operation | Transact | Call | Close) & Origin

/** The key by which a command's outcome is remembered, and whose it is. */
export const keyedOf = ({ assignedKey, key = assignedKey, principal }: Origin): Keyed | undefined => {
  if (key === undefined) return undefined
  return principal === undefined ? { key } : { key, principal }
}

/** The operations that a command says, in order: those of a declared one are not known before it is decided. */
export const operationsOf = (command: Command): ReadonlyArray<Operation> => {
  switch (command._tag) {
    case "Transact":
      return command.operations
    case "Call":
    case "Close":
      return []
    default:
      return [command]
  }
}
