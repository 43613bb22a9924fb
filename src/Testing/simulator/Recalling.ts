/**
 * Recalls the outcome of a key from the log of a simulated node, if the tables keep only its index. In production the
 * fibers of Local/KeyHistory.ts do this.
 */
import { Exit, Result } from "effect"
import type { Keyed } from "../../Machine/Command.ts"
import { recalled } from "../../Machine/CommandResult.ts"
import { type KeyStatus, type Recalled, statusIn, statusOf } from "../../Machine/KeyStatus.ts"
import { recall } from "../../Machine/Recall.ts"
import { decode } from "../../Machine/Transaction.ts"
import { entryAt } from "./Disk.ts"
import { fail } from "./Failure.ts"
import type { Life, Settle, SimulatedNode } from "./Node.ts"
import type { World } from "./World.ts"

/** Returns undefined if the entry is compacted away. The disk may still hold a log that an installed snapshot replaces. */
const read = ({ disk, id }: SimulatedNode, { core, machine }: Life, index: number): Recalled | undefined => {
  if (index < Math.max(disk.firstIndex, core.log.firstIndex)) return undefined
  const entry = entryAt(disk, index)
  const decoded = entry === undefined ? undefined : decode(entry.payload)
  if (decoded === undefined || Result.isFailure(decoded)) fail(`${id}: entry ${index} is told of a key, and is none`)
  const transaction = decoded.success
  return { command: transaction.command, outcome: recall(machine.applied, { index, transaction }) }
}

type Told = Parameters<Settle>[0]

/** Completes an answer that the leader left to the log of the node that was asked. */
export const recalledBy = (world: World, node: SimulatedNode, exit: Told): Told => {
  if (Exit.isFailure(exit) || exit.value.result._tag !== "Logged" || node.life === undefined) return exit
  const { replayedIndex } = exit.value.result
  world.clients.counts.recalled++
  const result = recalled(read(node, node.life, replayedIndex)?.outcome, replayedIndex)
  return Exit.succeed({ index: exit.value.index, result })
}

/** The status of a key, as far as a node has applied the log. */
export const keyStatus = (node: SimulatedNode, life: Life, keyed: Keyed): KeyStatus => {
  const status = statusIn(life.machine.applied, keyed)
  return status._tag === "Logged" ? statusOf(status.index, read(node, life, status.index)) : status
}
