/**
 * Finds the outcome of keyed requests, and closes keys of requests that were not done: in the cluster, and in this
 * node's own log, which remembers the keys of its own data. docs/http.md, "Endpoints" (`_operations`), "Details".
 */
import { Effect } from "effect"
import { type Caller, ownerOf } from "../Access/Caller.ts"
import type { Member } from "../Cluster/Member.ts"
import type { LocalNode } from "../Local/LocalNode.ts"
import { type Keyed, sentBy } from "../Machine/Command.ts"
import type { CommandResult } from "../Machine/CommandResult.ts"
import * as DatedKey from "../Machine/DatedKey.ts"
import type { KeyStatus } from "../Machine/KeyStatus.ts"
import { visible } from "../Machine/LocalParts.ts"
import { unseenBy, without } from "../Machine/Seen.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import { type NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import { type Changed, changed, Refused } from "./Changed.ts"

/** The state of a key, and the index of the replicated log that it reflects. */
export interface Operation {
  readonly status: KeyStatus
  /** The changes of its request, with this node's part of each record. */
  readonly changes: ReadonlyArray<Changed>
  readonly logIndex: number
}

export interface Operations {
  /** Finds the state of a key of the caller. Linearizable: it knows every outcome that a node answered before. */
  readonly ask: (caller: Caller, key: string) => Effect.Effect<Operation, NotDone>
  /**
   * Closes the key of a request that was not done: no copy of the request will be done while the key is remembered. A key
   * on a node's own data is closed on this node. Returns the state as {@link ask} does. Refused if the key memory is full.
   */
  readonly close: (caller: Caller, key: string) => Effect.Effect<Operation, Refused | NotDone | UnknownOutcome>
}

export const make = ({
  local,
  member
}: {
  readonly local: LocalNode["Service"]
  readonly member: Member["Service"]
}): Operations => {
  const descriptorOf = (model: string) => member.tables.descriptors.get(model) ?? local.tables.descriptors.get(model)

  const changesOf = (caller: Caller, status: KeyStatus): ReadonlyArray<Changed> =>
    status._tag === "Known" && status.outcome._tag === "Accepted"
      ? status.outcome.answer.operations.map((done) => {
          const descriptor = descriptorOf(done.model)
          return seenBy(caller, descriptor, changed(descriptor, done, copy, visible(local.tables, done)))
        })
      : []

  /** Clients know no fields of a model that HTTP does not serve. */
  const seenBy = (caller: Caller, descriptor: Descriptor | undefined, done: Changed): Changed => {
    if (descriptor === undefined || caller._tag === "System") return done
    const record = descriptor.isServed ? without(unseenBy(member.policy, caller, descriptor), done.record) : {}
    return { ...done, record }
  }

  const answered = (caller: Caller, status: KeyStatus, logIndex: number): Operation => ({
    status,
    changes: changesOf(caller, status),
    logIndex
  })

  const askHere = (caller: Caller, keyed: Keyed) =>
    Effect.map(local.keyStatus(keyed), (status) => answered(caller, status, member.node()?.appliedIndex() ?? 0))

  const askBoth = Effect.fnUntraced(function* (caller: Caller, keyed: Keyed) {
    const { index, status: there } = yield* member.inquire(keyed)
    // The key of a PATCH of local fields alone may be too old for the cluster, which has never seen it.
    const isNotThere = there._tag === "Absent" || there._tag === "Closed" || there._tag === "Expired"
    const here = isNotThere ? yield* local.keyStatus(keyed) : there
    const knowsMore = here._tag === "Known" || here._tag === "Expired" || here._tag === "Pending"
    return answered(caller, knowsMore ? here : there, index)
  })

  const askKeyed = (caller: Caller, keyed: Keyed) => (isOfNode(keyed) ? askHere(caller, keyed) : askBoth(caller, keyed))

  return {
    ask: (caller, key) => askKeyed(caller, keyedBy(caller, key, member.policy !== undefined)),
    close: Effect.fnUntraced(function* (caller, key) {
      const close = sentBy(caller, { _tag: "Close", key } as const, member.policy !== undefined)
      const keyed = keyedBy(caller, key, member.policy !== undefined)
      if (!isOfNode(keyed)) {
        const { result } = yield* member.submit(close)
        yield* mayBeFull(result)
        // Do not close a key here that the cluster knows: this node would refuse a copy before it has applied the first.
        if (result._tag !== "Rejected" || result.rejection._tag !== "KeyClosed") return yield* askKeyed(caller, keyed)
      }
      yield* mayBeFull((yield* local.submit(close)).result)
      // The key is closed now. If the state cannot be found out, the request may have been done before.
      return yield* askKeyed(caller, keyed).pipe(
        Effect.mapError(
          ({ message }) =>
            new UnknownOutcome({ key: keyed.key, message: `The outcome cannot be found out now: ${message}` })
        )
      )
    })
  }
}

/** Two principals never share a key. */
const keyedBy = (caller: Caller, key: string, isGuarded: boolean): Keyed => {
  const principal = ownerOf(caller, isGuarded)
  return principal === undefined ? { key } : { key, principal }
}

/** A client that asks for an outcome is told as a copy of its request would be. */
const copy = { logIndex: undefined, isReplayed: true }

/** Only a node itself knows dated keys of its own log. They need no quorum. */
const isOfNode = ({ key }: Keyed): boolean => DatedKey.parse(key)?.isOfNode === true

const mayBeFull = (result: CommandResult): Effect.Effect<void, Refused> =>
  result._tag === "Rejected" && (result.rejection._tag === "KeysExhausted" || result.rejection._tag === "KeyQuota")
    ? Effect.fail(new Refused({ rejection: result.rejection }))
    : Effect.void
