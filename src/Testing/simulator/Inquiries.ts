/**
 * The clients of a simulated cluster ask about the key of a request with an unknown outcome, or close the key, so that no
 * copy takes effect later. The checks compare the answers with the committed log.
 */
import { Exit } from "effect"
import * as WaitingReads from "../../Raft/node/WaitingReads.ts"
import type { Client, Current } from "./ClientState.ts"
import * as Clients from "./Clients.ts"
import { retriedMs } from "./Limits.ts"
import type { SimulatedNode } from "./Node.ts"
import * as Promises from "./Promises.ts"
import { keyStatus } from "./Recalling.ts"
import { askedOf, isOutOfRoom, originOf, submit } from "./Submitting.ts"
import type { World } from "./World.ts"

/** The request that a client can ask about: it has a key and no answer. */
const askable = ({ current }: Client): Current | undefined =>
  current?.key === undefined || current.request._tag === "Reuse" || current.request._tag === "Read"
    ? undefined
    : current

/** Asks for the outcome, linearizably. */
export const inquire = (world: World, client: Client, node: SimulatedNode): void => {
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
    const result = { ...told.outcome, replayedIndex: told.index }
    Promises.answered(promises, asked, { result, index })
    Clients.answered(world, client, current, result)
  })
}

/** Closes the key, or learns the outcome that the request already has. */
export const closeKey = (world: World, client: Client, node: SimulatedNode): void => {
  const { life } = node
  const current = askable(client)
  if (current?.key === undefined || life === undefined) return
  // The nodes may have forgotten an old key of the client. Then its answer says nothing of this request.
  if (current.isKeyed && world.nowMs - current.beganMs > retriedMs) return
  // Copies that were sent before go on, so no refusal settles the outcome.
  current.isUnknown = true
  const { fingerprint: _, ...origin } = originOf(current)
  submit(world, node, life, { _tag: "Close", ...origin }, (exit) => {
    if (Exit.isFailure(exit)) return
    const { result, index } = exit.value
    if (result._tag === "Logged") return
    const { promises } = world.checks
    const asked = askedOf(current)
    const refusal = result._tag === "Rejected" ? result.rejection._tag : undefined
    if (refusal === "KeyExpired" || isOutOfRoom(refusal)) return
    if (refusal === "KeyClosed") {
      Promises.closed(promises, asked, index)
      world.clients.counts.closed++
      if (client.current === current) Clients.neverDone(world, client, current)
      return
    }
    Promises.answered(promises, asked, { result, index })
    if (client.current === current) Clients.answered(world, client, current, result)
  })
}
