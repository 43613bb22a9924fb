/**
 * What the clients of a simulated cluster do with a key while they do not know what became of its request: they ask, and
 * they close it, so that nothing becomes of it any more. What they are told is held against what is committed.
 */
import { Exit } from "effect"
import * as WaitingReads from "../../Raft/node/WaitingReads.ts"
import * as Clients from "./Clients.ts"
import { retriedMs } from "./Limits.ts"
import type { SimulatedNode } from "./Node.ts"
import * as Promises from "./Promises.ts"
import { keyStatus } from "./Recalling.ts"
import { askedOf, originOf, submit } from "./Submitting.ts"
import type { World } from "./World.ts"

/** What a client that has a key and no answer can ask by. */
const askable = ({ current }: Clients.Client): Clients.Current | undefined =>
  current?.key === undefined || current.request._tag === "Reuse" || current.request._tag === "Read"
    ? undefined
    : current

/** Asks, linearizably. */
export const inquire = (world: World, client: Clients.Client, node: SimulatedNode): void => {
  const { life } = node
  const current = askable(client)
  if (current?.key === undefined || life === undefined) return
  const { key } = current
  const { principal } = originOf(current)
  WaitingReads.ask(life.reads, (exit) => {
    if (Exit.isFailure(exit) || node.life !== life) return
    const { promises } = world.checks
    const index = life.appliedIndex
    const asked = askedOf(current)
    const told = keyStatus(node, life, { key, ...(principal === undefined ? {} : { principal }) })
    Promises.told(promises, asked, told._tag, index)
    world.clients.counts.inquiries++
    if (told._tag === "Expired") world.clients.counts.expired++
    if (client.current !== current) return
    if (told._tag === "Closed") Clients.neverDone(world, client, current)
    if (told._tag !== "Known") return
    const answer = { ...told.outcome, replayedIndex: told.index }
    Promises.answered(promises, asked, { answer, index })
    Clients.answered(world, client, current, answer)
  })
}

/** Closes it, or is told what became of it before. */
export const closeKey = (world: World, client: Clients.Client, node: SimulatedNode): void => {
  const { life } = node
  const current = askable(client)
  if (current?.key === undefined || life === undefined) return
  // A client's own key that may be forgotten says nothing more of the request that it once was of.
  if (current.isKeyed && world.nowMs - current.beganMs > retriedMs) return
  // Whatever else is said of it: the copies before go on.
  current.isUnknown = true
  const { fingerprint: _, ...origin } = originOf(current)
  submit(world, node, life, { _tag: "Close", ...origin }, (exit) => {
    if (Exit.isFailure(exit)) return
    const { answer, index } = exit.value
    if (answer._tag === "Logged") return
    const { promises } = world.checks
    const asked = askedOf(current)
    const refusal = answer._tag === "Rejected" ? answer.rejection._tag : undefined
    if (refusal === "KeyExpired" || refusal === "KeysExhausted") return
    if (refusal === "KeyClosed") {
      Promises.closed(promises, asked, index)
      world.clients.counts.closed++
      if (client.current === current) Clients.neverDone(world, client, current)
      return
    }
    Promises.answered(promises, asked, { answer, index })
    if (client.current === current) Clients.answered(world, client, current, answer)
  })
}
