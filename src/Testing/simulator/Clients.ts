/**
 * The clients of a simulated cluster. Each sends one request at a time, through any node, and repeats it with the same
 * key while its outcome is unknown. It records its requests and answers. Promises.ts checks them one by one, and the
 * project's own judge of linearizability checks the history of all clients.
 */
import { Exit } from "effect"
import type { CommandResult } from "../../Machine/CommandResult.ts"
import * as DatedKey from "../../Machine/DatedKey.ts"
import * as Tables from "../../Machine/Tables.ts"
import { NotDone } from "../../Raft/node/Outcome.ts"
import * as WaitingReads from "../../Raft/node/WaitingReads.ts"
import type { Event } from "../History.ts"
import type { Client, Clients, Current } from "./ClientState.ts"
import { fail } from "./Failure.ts"
import * as Keys from "./Keys.ts"
import { answerTimeoutMs, retriedMs } from "./Limits.ts"
import { modelOf } from "./Models.ts"
import type { Life, Settle, SimulatedNode } from "./Node.ts"
import { errorOf, noQuorum, unknownOutcome } from "./Outcome.ts"
import * as Promises from "./Promises.ts"
import { answerOf, commandOf, type Invocation, invocationsOf, type Request, readOf, type Seen } from "./Request.ts"
import { askedOf, isOutOfRoom, originOf, submit, withKey } from "./Submitting.ts"
import { awake, clockOf, type World } from "./World.ts"

export const make = (count: number): Clients => ({
  all: Array.from({ length: count }, () => ({ seen: new Map(), current: undefined, used: undefined, heardIndex: 0 })),
  history: [],
  nextProcess: 0,
  counts: {
    reads: 0,
    leaseReads: 0,
    retries: 0,
    unknown: 0,
    declaredTransfers: 0,
    declinedTransfers: 0,
    assigned: 0,
    inquiries: 0,
    closed: 0,
    recalled: 0,
    exhausted: 0,
    expired: 0
  }
})

/** An idle client begins a request through a node. A client that waits does nothing. */
export const begin = (
  world: World,
  client: Client,
  node: SimulatedNode,
  { isKeyed, request }: { readonly request: Request; readonly isKeyed: boolean }
): void => {
  if (client.current !== undefined || node.life === undefined) return
  const { used } = client
  // The nodes may have forgotten an old key, and would then do the other request.
  const isUsed = used !== undefined && (world.releases === undefined || world.nowMs - used.beganMs < retriedMs)
  if (request._tag === "Reuse" && !isUsed) return
  const number = world.nextNumber++
  const hasKey = isKeyed && request._tag !== "Read"
  const tag = hasKey && isDated(world, number) ? datedKey(client, number) : `w${number}`
  const key = request._tag === "Reuse" ? used?.key : hasKey ? tag : undefined
  const holder = (request._tag === "Reuse" ? used?.holder : undefined) ?? Keys.holderOf(number)
  const invocations = invocationsOf(request, client.seen, tag).map((each) => {
    return { ...each, process: world.clients.nextProcess++ }
  })
  for (const { key: record, op, process, value } of invocations) {
    world.clients.history.push({ type: "invoke", process, timeMs: world.nowMs, key: record, op, value })
  }
  const beganAtCount = world.checks.committed.length
  client.current = {
    request,
    tag,
    key,
    isKeyed: key !== undefined,
    holder,
    beganMs: world.nowMs,
    invocations,
    beganAtCount,
    attemptsCount: 0,
    isUnknown: false,
    attempt: undefined
  }
  attempt(world, client, client.current, node)
}

/** In runs with tight limits, a part of the clients' keys are dated, as those of the client's library are. */
const isDated = (world: World, number: number): boolean => world.releases !== undefined && number % 3 !== 0

const datedKey = ({ heardIndex }: Client, number: number): string =>
  DatedKey.make({ afterIndex: heardIndex, unique: number.toString(36), fingerprint: "first" })

/** A client that does not know the outcome of its request repeats it with the same key. The copy before may arrive later. */
export const retry = (world: World, client: Client, node: SimulatedNode): void => {
  const { current } = client
  if (current === undefined || current.key === undefined || node.life === undefined) return
  if (world.releases !== undefined && world.nowMs - current.beganMs > retriedMs) return
  // The attempt before goes on, but the client no longer listens to it.
  current.isUnknown = true
  world.clients.counts.retries++
  attempt(world, client, current, node)
}

/** A client waits no longer. */
export const giveUp = (world: World, client: Client): void => {
  const { current } = client
  if (current === undefined) return
  const isCertain = current.attempt?.callOff() === true
  if (isCertain && current.attempt !== undefined && current.request._tag !== "Read") {
    Promises.refused(world.checks.promises, askedOf(current), current.attempt.name)
  }
  end(world, client, current, isCertain || current.attempt === undefined ? "refused" : "unknown")
}

/** One copy of a request. */
interface Attempt {
  readonly client: Client
  readonly current: Current
  readonly name: string
  /** The key as it was sent: the client may learn of another key later. */
  readonly asked: Promises.Asked
}

/** A message for a process that stands still waits until the process goes on. */
const attempt = (world: World, client: Client, current: Current, node: SimulatedNode): void => {
  const { life } = node
  if (life === undefined) return
  const name = `${current.tag}.${++current.attemptsCount}`
  const asked = askedOf(current)
  Promises.sent(world.checks.promises, asked, name)
  let isCalledOff = false
  let callOff = (): boolean => true
  current.attempt = {
    name,
    asked,
    untilMs: world.nowMs + answerTimeoutMs,
    assignedKey: undefined,
    callOff: () => {
      isCalledOff = true
      return callOff()
    }
  }
  const arrive = (): void => {
    if (isCalledOff) return
    callOff =
      current.request._tag === "Read"
        ? read(world, client, current, node, life)
        : write(world, { client, current, name, asked }, node, life)
  }
  if (awake(world, node) === undefined) life.arrived.push(arrive)
  else arrive()
}

/** In runs where keys expire, waits are bounded, so that no copy of a request comes after its key is forgotten. */
export const timeOut = (world: World): void => {
  if (world.releases === undefined) return
  for (const client of world.clients.all) {
    const { current } = client
    if (current?.attempt === undefined || current.request._tag === "Read") continue
    if (world.nowMs < current.attempt.untilMs) continue
    const { asked, callOff, name } = current.attempt
    told(world, { client, current, name, asked }, callOff() ? noQuorum : unknownOutcome)
  }
}

/** Reads as the shell does: at a read index, or under a lease if the lease still holds after the read (C7). */
const read = (world: World, client: Client, current: Current, node: SimulatedNode, life: Life): (() => boolean) => {
  const { request } = current
  if (request._tag !== "Read") return () => true
  const settle = (exit: Exit.Exit<number, NotDone>): void => {
    if (client.current !== current || node.life !== life) return
    if (Exit.isFailure(exit)) {
      end(world, client, current, "refused")
      return
    }
    const leaseUntilMs = life.leases.get(readId)
    life.leases.delete(readId)
    const row = Tables.get(life.machine.applied, modelOf(request.key), request.key)
    if (leaseUntilMs !== undefined && clockOf(world, node) >= leaseUntilMs) {
      readId = WaitingReads.ask(life.reads, settle)
      return
    }
    if (life.appliedIndex < current.beganAtCount) {
      fail(`${node.id}: a read of entry ${life.appliedIndex} misses ${current.beganAtCount}, committed before it`)
    }
    if (life.core.isSuspect) fail(`${node.id}: reads a state that is not believed`)
    world.clients.counts.reads++
    if (leaseUntilMs !== undefined) world.clients.counts.leaseReads++
    if (row !== undefined) {
      const { id: _, ...value } = row.data
      client.seen.set(request.key, { version: row.version, value })
    }
    note(world, current.invocations[0]!, "ok", readOf(row))
    client.current = undefined
  }
  let readId = request.mayLease ? WaitingReads.add(life.reads, settle) : WaitingReads.ask(life.reads, settle)
  if (request.mayLease) life.leasable.push(readId)
  return () => {
    WaitingReads.forget(life.reads, readId)
    return true
  }
}

/** Writes as the shell does: decides here, or forwards to the leader that this node knows. */
const write = (world: World, attempt: Attempt, node: SimulatedNode, life: Life): (() => boolean) => {
  const { current } = attempt
  const { request, tag } = current
  const command = withKey(world, life, current, {
    ...commandOf(request, current.invocations, tag),
    ...originOf(current)
  })
  return submit(world, node, life, command, (exit) => told(world, attempt, exit))
}

/** A node answered an attempt. The answer must be true, even if the client no longer listens. */
const told = (world: World, attempt: Attempt, exit: Parameters<Settle>[0]): void => {
  const { asked, client, current, name } = attempt
  const { promises } = world.checks
  const isListening = client.current === current && current.attempt?.name === name
  if (Exit.isSuccess(exit)) {
    const { result, index } = exit.value
    if (result._tag === "Logged") fail(`${current.tag} was answered with no more than an index`)
    const refusal = result._tag === "Rejected" ? result.rejection._tag : undefined
    if (refusal === "KeyClosed") {
      closedUnderWay(world, attempt, index)
      return
    }
    if (refusal !== "KeyExpired" && !isOutOfRoom(refusal)) {
      Promises.answered(promises, asked, { result, index })
      if (isListening) answered(world, client, current, result)
      return
    }
    if (refusal === "KeyExpired") world.clients.counts.expired++
    else world.clients.counts.exhausted++
  }
  // Without room for its key this copy is not done. An earlier copy, whose key may be forgotten, may be done.
  const isCertain = Exit.isSuccess(exit)
    ? exit.value.result._tag === "Rejected" && isOutOfRoom(exit.value.result.rejection._tag)
    : errorOf(exit) instanceof NotDone
  if (isCertain) Promises.refused(promises, asked, name)
  if (!isListening) return
  // A node that does not know the outcome names the key by which the client can ask.
  if (!isCertain && current.key === undefined && current.attempt?.assignedKey !== undefined) {
    current.key = current.attempt.assignedKey
    world.clients.counts.assigned++
  }
  current.attempt = undefined
  current.isUnknown ||= !isCertain
  // With a key the client can try again, until it gives up.
  if (current.key === undefined || !current.isUnknown) end(world, client, current, "refused")
}

/** The client closed the key while this copy was under way. */
const closedUnderWay = (world: World, { asked, client, current }: Attempt, index: number): void => {
  Promises.closed(world.checks.promises, asked, index)
  if (client.current === current) neverDone(world, client, current)
}

/** The request is not done, now or later. */
export const neverDone = (world: World, client: Client, current: Current): void => {
  for (const invocation of current.invocations) note(world, invocation, "fail")
  client.current = undefined
}

export const answered = (world: World, client: Client, current: Current, result: CommandResult): void => {
  const isReused = current.request._tag === "Reuse"
  const isRefused = result._tag === "Rejected" && result.rejection._tag === "KeyReused"
  if (isReused !== isRefused) fail(`${current.tag}: key ${current.key} came back with ${JSON.stringify(result)}`)
  const { beganMs, holder, isKeyed, key } = current
  client.heardIndex = current.beganAtCount
  if (isKeyed && key !== undefined && !isReused) client.used = { key, holder, beganMs }
  for (const invocation of current.invocations) {
    const answer = answerOf(invocation, result)
    note(world, invocation, answer?.type ?? "fail", answer?.result)
    if (invocation.op === "withdraw" && answer?.type === "fail") world.clients.counts.declinedTransfers++
    if (invocation.op === "withdraw" && answer?.type === "ok") world.clients.counts.declaredTransfers++
    if (answer?.type === "ok" && isWriting(invocation)) remember(client, invocation, answer.result)
  }
  client.current = undefined
}

/** Whether the client knows the state of the record after its request. */
const isWriting = ({ op }: Invocation): boolean => op === "create" || op === "write" || op === "cas"

const remember = ({ seen }: Client, { key, op, value }: Invocation, result: unknown): void => {
  const { version } = result as { readonly version: number }
  const next = op === "cas" ? (value as { readonly value: Seen["value"] }).value : value
  seen.set(key, { version, value: next })
}

/** The request ends without an answer. */
const end = (world: World, client: Client, current: Current, as: "refused" | "unknown"): void => {
  const isUnknown = as === "unknown" || current.isUnknown
  if (isUnknown) world.clients.counts.unknown++
  for (const invocation of current.invocations) note(world, invocation, isUnknown ? "info" : "fail")
  client.current = undefined
}

const note = (
  { clients, nowMs }: World,
  { key, op, process }: Current["invocations"][number],
  type: "ok" | "fail" | "info",
  result?: Event["result"]
): void => {
  clients.history.push({ type, process, timeMs: nowMs, key, op, ...(result === undefined ? {} : { result }) })
}
