/** The commands of the machine, as JSON data from clients. Pure. They are unchecked: `decide` trusts none of them. */
import { type Caller, ownerOf } from "../Access/Caller.ts"

/** A condition on the record (If-Match): one of these versions, or any. It fails if there is no record. */
interface Conditional {
  readonly ifMatch?: "*" | ReadonlyArray<number>
}

/** Creates a record. Without an id, here or in the data, the deciding node makes one. */
export interface Create {
  readonly _tag: "Create"
  readonly model: string
  readonly id?: string
  readonly data: unknown
}

/** Replaces the whole record under an id, or creates it. With `ifNoneMatch` it only creates (If-None-Match: *). */
export interface Put extends Conditional {
  readonly _tag: "Put"
  readonly model: string
  readonly id: string
  readonly data: unknown
  readonly ifNoneMatch?: boolean
}

/**
 * Merges a patch (RFC 7396) into the encoded record. Null sets a field to null if the field is required and nullable.
 */
export interface Patch extends Conditional {
  readonly _tag: "Patch"
  readonly model: string
  readonly id: string
  readonly data: unknown
}

/** Deletes a record. If the id is created again, its versions continue. */
export interface Delete extends Conditional {
  readonly _tag: "Delete"
  readonly model: string
  readonly id: string
}

/**
 * A change of one record. A node that sends it to another one names the version of the model's shape that it knows, so
 * that no other version decides it.
 */
export type Operation = (Create | Put | Patch | Delete) & { readonly modelVersion?: number }

/** Changes that happen together or not at all. Each sees those before it. */
export interface Transact {
  readonly _tag: "Transact"
  readonly operations: ReadonlyArray<Operation>
  /** The name of the command in its entry and in its answer. */
  readonly name?: "Bulk"
}

/** A declared command. The procedure of this name on the deciding node says what it does (Procedure.ts). */
export interface Call {
  readonly _tag: "Call"
  readonly name: string
  readonly payload: unknown
}

/** Who sends a command, and how copies of the request are recognised. */
export interface Origin {
  /** Who sends it; absent for an anonymous caller. {@link sentBy} sets it. */
  readonly caller?: Caller
  /**
   * Set by a node that enforces rules when it forwards the command: a leader that knows none of them must not decide it.
   * A leader of a release without rules refuses the field.
   */
  readonly isGuarded?: true
  /** Who owns the key, by the caller: the entry keeps it. */
  readonly principal?: string
  /** The client's idempotency key, with a fingerprint of the request that first carried it. */
  readonly key?: string
  readonly fingerprint?: string
  /** The key that a node assigned to a command without one (AssignedKey.ts). No client knows it yet. */
  readonly assignedKey?: string
  /** The `traceparent` of the span that the command is part of, if its client wants it traced. No entry keeps it. */
  readonly trace?: string
}

/** What a caller sends. `isGuarded` says whether rules hold on this node. */
export const sentBy = <O extends object>(
  caller: Caller,
  asked: O,
  isGuarded: boolean
): O & Pick<Origin, "caller" | "principal"> => {
  if (caller._tag === "Anonymous") return asked
  const principal = ownerOf(caller, isGuarded)
  return { ...asked, caller, ...(principal === undefined ? {} : { principal }) }
}

/** Closes a key under which nothing was done: from then on no copy of its request is done. */
export interface Close {
  readonly _tag: "Close"
}

/**
 * Makes a version of a model's shape the one that new records have. Only nodes send it, once every member's code has this
 * version and the records have been checked as they were at `checkedIndex` (Cluster/Activation.ts).
 */
export interface Activate {
  readonly _tag: "Activate"
  readonly model: string
  readonly version: number
  readonly checkedIndex: number
}

/** Makes a format the one of the log. Only nodes send it, once every member's release knows the format (Format.ts). */
export interface RaiseFormat {
  readonly _tag: "RaiseFormat"
  readonly format: number
}

/**
 * Stores records in the active version of their model, as the deciding node reads them. It is no change of them: their
 * versions and their history stay. Only nodes send it (Local/liftRecords.ts).
 */
export interface Lift {
  readonly _tag: "Lift"
  readonly model: string
  readonly ids: ReadonlyArray<string>
}

/** Ends a model. Only nodes send it, once every member's release has dropped it. */
export interface End {
  readonly _tag: "End"
  readonly model: string
}

/** Forgets records of a model that has ended. Only nodes send it. */
export interface Forget {
  readonly _tag: "Forget"
  readonly model: string
  readonly ids: ReadonlyArray<string>
}

/**
 * Retains the history from an entry on: nodes remove what is before it, and read it no more. Only nodes send it
 * (Cluster/Retention.ts).
 */
export interface Retain {
  readonly _tag: "Retain"
  readonly fromIndex: number
}

/** Deletes a record and erases its data from all that came before. Only an operator asks for it (Cluster/Erasing.ts). */
export interface Erase {
  readonly _tag: "Erase"
  readonly model: string
  readonly id: string
}

/** Begins a chain of digests with this entry (Evidence.ts). Only nodes send it. */
export interface Prove {
  readonly _tag: "Prove"
}

/**
 * The commands by which nodes themselves keep a log: they bring it to what their releases know, bound its history, and
 * erase from it.
 */
export type Upgrade = Activate | RaiseFormat | Lift | End | Forget | Retain | Erase | Prove

/** Whether a command is a node's own, for its log. */
export const isUpgrade = (command: Command): command is Upgrade & Origin => upgradeTags.has(command._tag)

const upgradeTags: ReadonlySet<string> = new Set([
  "Activate",
  "RaiseFormat",
  "Lift",
  "End",
  "Forget",
  "Retain",
  "Erase",
  "Prove"
] satisfies Array<Upgrade["_tag"]>)

/** A command, which is decided as one entry. */
export type Command = (Operation | Transact | Call | Close | Upgrade) & Origin

/** A key, and the principal that owns it: two principals never share a key. */
export interface Keyed {
  readonly principal?: string
  readonly key: string
}

/** The key under which a command's outcome is remembered, and the principal that owns it. */
export const keyedOf = ({ assignedKey, key = assignedKey, principal }: Origin): Keyed | undefined => {
  if (key === undefined) return undefined
  return principal === undefined ? { key } : { key, principal }
}

/** The command with the version of the model in each of its operations. A model that is not known has none. */
export const withVersions = (command: Command, versionOf: (model: string) => number | undefined): Command => {
  const stamped = <O extends Operation>(operation: O): O => {
    const modelVersion = versionOf(operation.model)
    return modelVersion === undefined ? operation : { ...operation, modelVersion }
  }
  switch (command._tag) {
    case "Transact":
      return { ...command, operations: command.operations.map(stamped) }
    case "Call":
    case "Close":
    case "Activate":
    case "RaiseFormat":
    case "Lift":
    case "End":
    case "Forget":
    case "Retain":
    case "Erase":
    case "Prove":
      return command
    default:
      return stamped(command)
  }
}

/** The operations of a command, in order. Those of a declared command are unknown before it is decided. */
export const operationsOf = (command: Command): ReadonlyArray<Operation> => {
  switch (command._tag) {
    case "Transact":
      return command.operations
    case "Call":
    case "Close":
    case "Activate":
    case "RaiseFormat":
    case "Lift":
    case "End":
    case "Forget":
    case "Retain":
    case "Erase":
    case "Prove":
      return []
    default:
      return [command]
  }
}
