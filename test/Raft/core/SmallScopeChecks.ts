/**
 * What must hold in every world of a small scope: the five properties of Raft Fig. 3, what is committed is on the disks of
 * a quorum, a promise is kept, and no read is stale. Told by an observer who sees all nodes at once, and remembers.
 */
import type { Became, Node } from "./SmallScopeNode.ts"

/** What the observer remembers. Plain data: two worlds are one only where it is equal. */
export interface Memory {
  /** Who has led, by term. */
  readonly leaders: ReadonlyArray<string | undefined>
  /** All that was ever committed, in order, with the term of the leader that did it. */
  readonly committed: ReadonlyArray<{ readonly entry: string; readonly inTerm: number }>
  /** Until when each node has promised to elect nobody, by the clock that they all share; 0 once that is over. */
  readonly promisedUntilMs: ReadonlyArray<number>
  /** Of each read that waits: who asks, and how much was committed when it began. */
  readonly reads: ReadonlyArray<{ readonly at: number; readonly committedCount: number }>
}

/** A property does not hold. */
export class Broken extends Error {}

const fail = (message: string): never => {
  throw new Broken(message)
}

export const nothing = (count: number): Memory => ({
  leaders: [],
  committed: [],
  promisedUntilMs: Array.from({ length: count }, () => 0),
  reads: []
})

/** The memory after a step of the node at `at`; or it fails. */
export const observe = (
  memory: Memory,
  nodes: ReadonlyArray<Node>,
  step: {
    readonly at: number
    readonly before: Node
    readonly became: Became
    readonly nowMs: number
    readonly promiseMs: number
  }
): Memory => {
  const { at, became, before, nowMs, promiseMs } = step
  const { node } = became
  const name = node.state.nodeId
  if (became.elected && nowMs < (memory.promisedUntilMs[at] ?? 0)) fail(`${name} breaks its promise`)
  const promisedUntilMs = memory.promisedUntilMs.map((until, each) => {
    const latest = each === at && became.promised ? Math.max(until, nowMs + promiseMs) : until
    return latest > nowMs ? latest : 0
  })
  const leaders = led(memory, node, name)
  appendOnly(before, node)
  const committed = agreed(memory, node, name)
  if (leaders !== memory.leaders) complete(committed, node, name)
  const seen = { leaders, committed, promisedUntilMs, reads: answered(memory, became, at, name) }
  for (const other of nodes) matching(node, other)
  onQuorum(committed, nodes)
  fresh(committed, nodes, nowMs)
  return seen
}

/** Election Safety: at most one leader in a term (Fig. 3, §5.2). */
const led = ({ leaders }: Memory, { state }: Node, name: string): Memory["leaders"] => {
  if (state.role._tag !== "Leader") return leaders
  const known = leaders[state.currentTerm]
  if (known === name) return leaders
  if (known !== undefined) fail(`${known} and ${name} both lead term ${state.currentTerm} (Election Safety)`)
  const next = Array.from({ length: Math.max(leaders.length, state.currentTerm + 1) }, (_, term) => leaders[term])
  next[state.currentTerm] = name
  return next
}

/** A leader never overwrites or deletes its entries (Fig. 3, Leader Append-Only). */
const appendOnly = (before: Node, after: Node): void => {
  const isSame = before.state.role._tag === "Leader" && after.state.role._tag === "Leader"
  if (!isSame || before.state.currentTerm !== after.state.currentTerm) return
  if (before.log.some((entry, at) => after.log[at] !== entry)) fail("a leader overwrites its log (Leader Append-Only)")
}

/** No two nodes apply different entries at an index (Fig. 3, State Machine Safety). */
const agreed = ({ committed }: Memory, { log, state }: Node, name: string): Memory["committed"] => {
  const more: Array<Memory["committed"][number]> = []
  for (let at = 0; at < state.commitIndex; at++) {
    const entry = log[at] ?? fail(`${name} has committed entry ${at + 1}, which it lacks`)
    const known = committed[at]?.entry
    if (known === undefined) more.push({ entry, inTerm: state.currentTerm })
    else if (known !== entry) fail(`entry ${at + 1} is ${known}, and ${entry} at ${name} (State Machine Safety)`)
  }
  return more.length === 0 ? committed : [...committed, ...more]
}

/** What was committed is in the logs of the leaders of all later terms (Fig. 3, Leader Completeness). */
const complete = (committed: Memory["committed"], { log, state }: Node, name: string): void => {
  for (const [at, { entry, inTerm }] of committed.entries()) {
    if (inTerm < state.currentTerm && log[at] !== entry) fail(`${name} leads without ${entry} (Leader Completeness)`)
  }
}

/** Logs that have an entry of one index and term are equal through it (Fig. 3, Log Matching). */
const matching = (one: Node, other: Node): void => {
  if (one === other) return
  for (let at = Math.min(one.log.length, other.log.length) - 1; at >= 0; at--) {
    if (termOf(one.log[at]) !== termOf(other.log[at])) continue
    for (let below = at; below >= 0; below--) {
      if (one.log[below] !== other.log[below]) fail(`logs differ at ${below + 1}, and agree behind (Log Matching)`)
    }
    return
  }
}

const termOf = (entry: string | undefined): number => Number.parseInt(entry ?? "0", 10)

/** What is committed is on the disks of a majority, whatever crashes next. */
const onQuorum = (committed: Memory["committed"], nodes: ReadonlyArray<Node>): void => {
  const last = committed.length - 1
  if (last < 0) return
  const holders = nodes.filter(({ durable }) => committed.every(({ entry }, at) => durable[at] === entry))
  if (holders.length * 2 <= nodes.length) fail(`entry ${last + 1} is committed, and not on the disks of a quorum`)
}

/** A read by a lease that began now would miss nothing that is committed (diss. 6.4.1). */
const fresh = (committed: Memory["committed"], nodes: ReadonlyArray<Node>, nowMs: number): void => {
  for (const { lease, state } of nodes) {
    if (lease !== undefined && nowMs < lease.untilMs && lease.readIndex < committed.length) {
      fail(`${state.nodeId} reads by its lease, and misses entry ${committed.length} (no stale read)`)
    }
  }
}

/** A read that is answered misses nothing that was committed before it began (diss. 6.4). */
const answered = ({ reads }: Memory, became: Became, at: number, name: string): Memory["reads"] => {
  if (became.reads.length === 0 && !became.hasRefused) return reads
  for (const { readIndex } of became.reads) {
    const asked = reads.find((each) => each.at === at)
    if (asked !== undefined && readIndex < asked.committedCount) {
      fail(
        `${name} answers a read at ${readIndex}, which began after ${asked.committedCount} was committed (no stale read)`
      )
    }
  }
  return reads.filter((each) => each.at !== at)
}
