/**
 * This node's parts of what a request had the cluster do: kept once that is committed, together, however often the
 * request is sent. Not how a change is parted (MixedParts.ts). D4.
 */
import { Effect } from "effect"
import type { Member } from "../Cluster/Member.ts"
import type { LocalNode } from "../Local/LocalNode.ts"
import type { Origin } from "../Machine/Command.ts"
import type { OperationAnswer } from "../Machine/decide.ts"
import { type LocalPart, noteOf, visible } from "../Machine/LocalParts.ts"
import * as Sessions from "../Machine/Sessions.ts"
import { get, type Tables } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import { type Changed, changed } from "./Changed.ts"
import type { OwnPart } from "./MixedParts.ts"
import type { Done } from "./Submitting.ts"

/** One operation that the cluster has done, and what this node is to keep of it. */
export interface DoneOperation {
  readonly descriptor: Descriptor
  readonly answer: OperationAnswer
  readonly own: OwnPart | undefined
}

/** An operation of which this node has something to keep. */
type Due = DoneOperation & { readonly own: OwnPart }

/** How a request was done, and where it came from. */
type How = Pick<Done, "isReplayed" | "logIndex"> & { readonly origin: Origin }

interface Node {
  readonly member: Pick<Member["Service"], "tables" | "readIndex">
  readonly local: Pick<LocalNode["Service"], "tables" | "setLocalParts">
}

/**
 * Tells of both parts of each operation, and never fails, since the replicated one is done. A copy keeps what was not
 * kept here yet: its first attempt ended before the outcome was known, or reached another node. It changes nothing that
 * is newer than the request: where something is, and where the log of this node fails, its local fields are lost.
 */
export const keep = Effect.fnUntraced(function* (
  node: Node,
  operations: ReadonlyArray<DoneOperation>,
  { isReplayed, logIndex, origin }: How
): Effect.fn.Return<ReadonlyArray<Changed>> {
  const { tables } = node.local
  const note = origin.key === undefined ? undefined : noteOf({ ...origin, key: origin.key })
  const isKept = note !== undefined && Sessions.find(tables, note, tables.logAgeMs) !== undefined
  const due = isKept ? [] : dueOf(tables, operations)
  const set = setParts(node, due, isReplayed, note)
  const kept = due.length === 0 ? [] : yield* isReplayed ? ifAsLeft(node, due, lastOf(operations), set) : set
  const positions = new Map<DoneOperation, number>(due.map((each, position) => [each, position]))
  return operations.map((each) => {
    const position = positions.get(each)
    const isLocalPartLost = position !== undefined && kept === undefined
    const set = position === undefined ? undefined : kept?.[position]
    return { ...changed({ ...each.answer, isReplayed, logIndex }, set ?? heldOf(tables, each)), isLocalPartLost }
  })
})

type Kept = Effect.Effect<ReadonlyArray<LocalPart | undefined> | undefined>

/** Undefined where they could not be set. */
const setParts = (
  { local }: Node,
  due: ReadonlyArray<Due>,
  isReplayed: boolean,
  note: Sessions.Keyed | undefined
): Kept => {
  const parts = due.map(({ answer: { change, createdIndex, id, version }, descriptor, own }) => ({
    descriptor,
    // What changed nothing has the version of what was written here long before.
    request: { id, createdIndex, version, ...own, isLate: isReplayed && change !== "unchanged" }
  }))
  const set = (origin: Origin | undefined) =>
    Effect.map(local.setLocalParts(origin === undefined ? { parts } : { parts, origin }), ({ answer }) => answer)
  return set(note).pipe(
    // Better kept without a note than lost. A copy then says that it keeps nothing, and is right.
    Effect.flatMap((answer) =>
      answer._tag === "Rejected" && answer.rejection._tag === "KeysExhausted" && !isReplayed
        ? set(undefined)
        : Effect.succeed(answer)
    ),
    Effect.map((answer) => (answer._tag === "Accepted" ? answer.parts : undefined)),
    Effect.orElseSucceed(() => undefined)
  )
}

/** Sets the parts of a copy, if each record is still as its request left it: else they would be shown on what is newer. */
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
  // What is committed may not be applied here yet.
  return member.readIndex.pipe(
    Effect.flatMap(() => (due.every(isAsLeft) ? set : Effect.undefined)),
    Effect.orElseSucceed(() => undefined)
  )
}

/**
 * What is to be kept, in order. What came before a record's last creation is of another record, which was deleted
 * meanwhile, by itself or with another: one that is created again in the same entry cannot be told from it by when it
 * was created, and must not show its local part.
 */
const dueOf = (tables: Tables, operations: ReadonlyArray<DoneOperation>): ReadonlyArray<Due> => {
  const creations = new Map<string, number>()
  for (const [position, { answer }] of operations.entries()) {
    if (answer.change === "created") creations.set(nameOf(answer), position)
  }
  const lasts = lastOf(operations)
  /** Of these records something is to be kept, which a PUT behind it may clear. */
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

/** By record, what became of it in the end. */
const lastOf = (operations: ReadonlyArray<DoneOperation>): ReadonlyMap<string, OperationAnswer> =>
  new Map(operations.map(({ answer }) => [nameOf(answer), answer]))

/** What this node holds of the record of an operation. */
const heldOf = (tables: Tables, { answer, descriptor }: DoneOperation): LocalPart | undefined =>
  descriptor.mode === "mixed" && answer.change !== "deleted" ? visible(tables, answer) : undefined

const nameOf = ({ id, model }: { readonly id: string; readonly model: string }): string => JSON.stringify([model, id])
