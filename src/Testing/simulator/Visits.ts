/**
 * The writes of readers, and of the application itself, to the papers of a simulated cluster with rules. An answer must
 * tell its caller nothing of a record that it may not read.
 */
import { Exit } from "effect"
import { idOf, system, systemId } from "../../Access/Caller.ts"
import { type Command, type Operation, sentBy } from "../../Machine/Command.ts"
import type { Rejection } from "../../Machine/Rejection.ts"
import { fail } from "./Failure.ts"
import type { Life, SimulatedNode } from "./Node.ts"
import { isAuditor, markBegins, secretBegins } from "./Papers.ts"
import type { Reader } from "./RandomRules.ts"
import type { Sight } from "./SightState.ts"
import * as Truth from "./SightTruth.ts"
import { submit } from "./Submitting.ts"
import type { World } from "./World.ts"

/** What somebody writes. */
export interface Visit {
  /** The position of the reader; undefined for the application itself. */
  readonly by: number | undefined
  readonly operations: ReadonlyArray<Operation>
}

/** Sends a write through a node. */
export const send = (world: World, sight: Sight, node: SimulatedNode, life: Life, visit: Visit): void => {
  const { by, operations } = visit
  const reader = by === undefined ? undefined : sight.truth.ruled.readers[by]!
  const [only, second] = operations
  const asked: Command = only !== undefined && second === undefined ? only : { _tag: "Transact", operations }
  const command: Command = {
    ...(reader === undefined ? { ...asked, caller: system, principal: systemId } : sentBy(reader, asked, true)),
    isGuarded: true
  }
  const fromIndex = world.checks.committed.length
  sight.counts.visits++
  submit(world, node, life, command, (exit) => {
    if (reader === undefined || Exit.isFailure(exit) || exit.value.result._tag !== "Rejected") return
    sight.counts.refusals++
    Truth.catchUp(sight.truth, world)
    const range = { fromIndex, toIndex: exit.value.index }
    judge(sight, reader, operations, exit.value.result.rejection, range)
  })
}

interface Range {
  readonly fromIndex: number
  readonly toIndex: number
}

/** Whether a refusal was true, and told nothing else, at some entry between its request and its answer. */
const judge = (
  { truth }: Sight,
  reader: Reader,
  operations: ReadonlyArray<Operation>,
  rejection: Rejection,
  range: Range
): void => {
  const text = JSON.stringify(rejection)
  const operation = operations[rejection.operation ?? 0]!
  const { model } = operation
  const id = "id" in operation && operation.id !== undefined ? operation.id : ""
  const what = `${idOf(reader) ?? "nobody"} asked to ${operation._tag} ${model} ${id} and was told ${text}`
  if (text.includes(secretBegins)) fail(`${what}, with a hidden field`)
  if (text.includes(markBegins) && !isAuditor(reader)) fail(`${what}, with a masked field`)
  const { by } = rejection as { readonly by?: Truth.Named }
  // The operations before it may have changed what is seen within the transaction.
  if (operations.length > 1) return
  if (by !== undefined && !Truth.wasSeen(truth, reader, { ...by, ...range })) fail(`${what}, which it may not read`)
  const target = { model, id, ...range }
  switch (rejection._tag) {
    case "NotFound":
      if (!Truth.wasUnseen(truth, reader, target)) fail(`${what}, and it may read the record`)
      return
    case "VersionConflict":
      if (rejection.currentVersion !== null && !Truth.wasSeen(truth, reader, target)) {
        fail(`${what}, which it may not read`)
      }
      return
    case "Forbidden":
    case "Unauthenticated":
      // Who may read some records is told of no record that it may not read it.
      if (rejection.action === "read" && Truth.isRuled(model) && Truth.alwaysSawSome(truth, reader, model, range)) {
        fail(`${what}, and it may read others`)
      }
      if (rejection.action !== "update" && rejection.action !== "delete") return
      // What goes with a record is refused as a whole.
      if (rejection.of === model && id !== "" && !Truth.wasSeen(truth, reader, target)) {
        fail(`${what}, which it may not read`)
      }
      return
    default:
  }
}
