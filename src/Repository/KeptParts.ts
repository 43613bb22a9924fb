/**
 * Writes this node's parts of a request once the cluster has committed the rest: all together, and once, however often
 * the client sends the request. MixedParts.ts splits a change. docs/guarantees.md.
 */
import { Effect } from "effect"
import type { Member } from "../Cluster/Member.ts"
import type { LocalNode } from "../Local/LocalNode.ts"
import type { OperationAnswer } from "../Machine/Answer.ts"
import type { Keyed, Origin } from "../Machine/Command.ts"
import { isBehind, isPending } from "../Machine/decideOperation.ts"
import type { LocalPart } from "../Machine/LocalPart.ts"
import { noteOf, visible } from "../Machine/LocalParts.ts"
import type { Rejection } from "../Machine/Rejection.ts"
import * as Sessions from "../Machine/Sessions.ts"
import { get, type Tables } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import { type Changed, changed, type Reflected } from "./Changed.ts"
import type { OwnPart } from "./MixedParts.ts"

/** One operation that the cluster has done, and the part of it that this node must keep. */
export interface DoneOperation {
  readonly descriptor: Descriptor
  readonly answer: OperationAnswer
  readonly own: OwnPart | undefined
}

/** An operation with a part that this node must keep. */
type Due = DoneOperation & { readonly own: OwnPart }

interface Node {
  readonly member: Pick<Member["Service"], "tables" | "readIndex">
  readonly local: Pick<LocalNode["Service"], "tables" | "setLocalParts">
}

/**
 * Keeps this node's parts and returns the results of all operations. Never fails, since the replicated part is done. A
 * copy of the request keeps its parts if the first attempt did not: it ended too early, or reached another node. It never
 * overwrites data newer than the request. In that case, or if the node's log fails, or if another version of the model is
 * active, its local fields are lost.
 */
export const keep = Effect.fnUntraced(function* (
  node: Node,
  operations: ReadonlyArray<DoneOperation>,
  { origin, ...how }: Reflected & { readonly origin: Origin }
): Effect.fn.Return<ReadonlyArray<Changed>> {
  const { tables } = node.local
  const { isReplayed } = how
  const note = origin.key === undefined ? undefined : noteOf({ ...origin, key: origin.key })
  const isKept = note !== undefined && Sessions.find(tables, note, tables.logAgeMs) !== undefined
  const due = isKept ? [] : dueOf(tables, operations)
  const set = setParts(node, due, isReplayed, note)
  const isRefused = due.some(({ descriptor }) => refusalOfPart(node.member.tables, descriptor) !== undefined)
  const kept =
    due.length === 0
      ? []
      : isRefused
        ? undefined
        : yield* isReplayed ? ifAsLeft(node, due, lastOf(operations), set) : set
  const positions = new Map<DoneOperation, number>(due.map((each, position) => [each, position]))
  return operations.map((each) => {
    const position = positions.get(each)
    const isLocalPartLost = position !== undefined && kept === undefined
    const set = position === undefined ? undefined : kept?.[position]
    return {
      ...changed(each.descriptor, each.answer, how, set ?? heldOf(tables, each)),
      isLocalPartLost
    }
  })
})

/**
 * Why this node may not write parts of a model: it may go back to a release that could not read them, since their version
 * is not active yet, or a later release wrote parts that it cannot read whole. A copy of a request that was done before
 * comes so far.
 */
export const refusalOfPart = (tables: Tables, descriptor: Descriptor): Rejection | undefined => {
  const { name: model, read } = descriptor
  if (read.liftsLocalPart && isPending(tables, descriptor)) return { _tag: "UpgradePending", model }
  const table = tables.byModel.get(model)
  const isLate = table !== undefined && isBehind(table, descriptor)
  return isLate ? { _tag: "UpgradeRequired", model, isAskersRelease: true } : undefined
}

type Kept = Effect.Effect<ReadonlyArray<LocalPart | undefined> | undefined>

/** Undefined if the node could not set them. */
const setParts = ({ local }: Node, due: ReadonlyArray<Due>, isReplayed: boolean, note: Keyed | undefined): Kept => {
  const parts = due.map(({ answer: { change, createdIndex, id, version }, descriptor, own }) => ({
    descriptor,
    // An operation that changed nothing has an older version, which this node may have written long ago.
    request: { id, createdIndex, version, ...own, isLate: isReplayed && change !== "unchanged" }
  }))
  const set = (origin: Origin | undefined) =>
    Effect.map(local.setLocalParts(origin === undefined ? { parts } : { parts, origin }), ({ result }) => result)
  return set(note).pipe(
    // Keep the parts without a note rather than lose them. A copy then says that it keeps nothing, and is right.
    Effect.flatMap((result) =>
      result._tag === "Rejected" && hasNoRoom(result.rejection) && !isReplayed ? set(undefined) : Effect.succeed(result)
    ),
    Effect.map((result) => (result._tag === "Accepted" ? result.parts : undefined)),
    Effect.orElseSucceed(() => undefined)
  )
}

const hasNoRoom = ({ _tag }: Rejection): boolean => _tag === "KeysExhausted" || _tag === "KeyQuota"

/** Sets the parts of a copy if each record is still as its request left it. Otherwise they would show on newer records. */
const ifAsLeft = (
  { member }: Node,
  due: ReadonlyArray<Due>,
  lasts: ReadonlyMap<string, OperationAnswer>,
  set: Kept
): Kept => {
  const isAsLeft = ({ answer }: Due): boolean => {
    const last = lasts.get(nameOf(answer))
    const row = get(member.tables, answer.model, answer.id)
    return row !== undefined && row.createdIndex === last?.createdIndex && row.version === last.version
  }
  // This node may not have applied a committed entry yet.
  return member.readIndex.pipe(
    Effect.flatMap(() => (due.every(isAsLeft) ? set : Effect.undefined)),
    Effect.orElseSucceed(() => undefined)
  )
}

/**
 * The parts to keep, in order. Parts from before a record's last creation belong to an earlier record, which was deleted
 * in the same entry. By creation index the two cannot be told apart, and the new one must not show the old one's part.
 */
const dueOf = (tables: Tables, operations: ReadonlyArray<DoneOperation>): ReadonlyArray<Due> => {
  const creations = new Map<string, number>()
  for (const [position, { answer }] of operations.entries()) {
    if (answer.change === "created") creations.set(nameOf(answer), position)
  }
  const lasts = lastOf(operations)
  /** Records with a part to keep. A later PUT may clear the part. */
  const names = new Set<string>()
  const isDue = (each: DoneOperation, position: number): each is Due => {
    const { answer, own } = each
    const name = nameOf(answer)
    if (own === undefined || position < (creations.get(name) ?? 0) || lasts.get(name)?.change === "deleted")
      return false
    const isNothing = Object.keys(own.data).length === 0 && heldOf(tables, each) === undefined && !names.has(name)
    if (!isNothing) names.add(name)
    return !isNothing
  }
  return operations.filter(isDue)
}

/** The last result of each record. */
const lastOf = (operations: ReadonlyArray<DoneOperation>): ReadonlyMap<string, OperationAnswer> =>
  new Map(operations.map(({ answer }) => [nameOf(answer), answer]))

/** This node's part of the record of an operation. */
const heldOf = (tables: Tables, { answer, descriptor }: DoneOperation): LocalPart | undefined =>
  descriptor.mode === "mixed" && answer.change !== "deleted" ? visible(tables, answer) : undefined

const nameOf = ({ id, model }: { readonly id: string; readonly model: string }): string => JSON.stringify([model, id])
