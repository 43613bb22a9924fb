/**
 * Carries a client's command from the node that it asked to the node that decides it, in a simulated cluster. Not the
 * clients (Clients.ts).
 */
import { system } from "../../Access/Caller.ts"
import type { Command, Origin } from "../../Machine/Command.ts"
import * as CommandQueue from "../../Raft/node/CommandQueue.ts"
import type { Current } from "./ClientState.ts"
import type { Life, Settle, SimulatedNode } from "./Node.ts"
import { noQuorum } from "./Outcome.ts"
import type * as Promises from "./Promises.ts"
import { recalledBy } from "./Recalling.ts"
import { send, type World } from "./World.ts"

/** The command as the checks know it. */
export const askedOf = ({ key, request, tag }: Current): Promises.Asked => ({
  tag,
  key,
  isReused: request._tag === "Reuse"
})

/** Whether a refusal says that the memory of keys has no room for this key, so that this copy is not done. */
export const isOutOfRoom = (refusal: string | undefined): boolean =>
  refusal === "KeysExhausted" || refusal === "KeyQuota"

/** If the client has no key, a principal of its own names the entry. */
export const originOf = (current: Current): Origin => {
  const { isKeyed, key, tag } = current
  const fingerprint = askedOf(current).isReused ? `another than ${key}` : "first"
  const principal = isKeyed ? current.holder : tag
  return key === undefined ? { principal } : { principal, key, fingerprint }
}

/** Gives a key to a command without one, as a member does, in the runs whose clients use such keys. */
export const withKey = (world: World, life: Life, { attempt, key }: Current, command: Command): Command => {
  if (world.releases === undefined || key !== undefined) return command
  const given = life.giveKey(
    { ...command, fingerprint: "first" },
    Math.max(life.core.commitIndex, life.core.leaderCommit)
  )
  if (attempt !== undefined) attempt.assignedKey = given.assignedKey
  return given
}

/** Where rules hold, clients that know none of them write as the application itself. */
const ofApplication = (command: Command): Command => ({ caller: system, ...command })

/** Decides a command here, or forwards it to the leader that this node knows. Gives a way to call it off. */
export const submit = (
  world: World,
  node: SimulatedNode,
  life: Life,
  asked: Command,
  settle: Settle
): (() => boolean) => {
  const command = world.sight === undefined || asked.isGuarded === true ? asked : ofApplication(asked)
  const { role } = life.core
  if (role._tag === "Leader") {
    const ticket = CommandQueue.submit(life.deciding, command, (exit) => settle(recalledBy(world, node, exit)))
    return () => {
      CommandQueue.forget(life.deciding, ticket)
      return ticket.proposed === undefined && node.life === life
    }
  }
  const leader = role._tag === "Follower" ? role.leader : undefined
  if (leader === undefined) {
    settle(noQuorum)
    return () => true
  }
  const requestId = world.nextNumber++
  life.forwarded.set(requestId, settle)
  send(world, { from: node.id, to: leader, message: { _tag: "Forward", requestId, command } })
  return () => {
    life.forwarded.delete(requestId)
    return false
  }
}
