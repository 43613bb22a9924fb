/** Cores on one clock, over a network that loses what a test tells it to, with disks that take as long as they are told to. */
import type { Input } from "../../../src/Raft/core/Input.ts"
import type { Envelope } from "../../../src/Raft/core/Message.ts"
import type { Output } from "../../../src/Raft/core/Output.ts"
import type { State } from "../../../src/Raft/core/State.ts"
import { step } from "../../../src/Raft/core/step.ts"
import { after, payload } from "./Cores.ts"

type Standstill = NonNullable<Output["standstill"]>

/** Runs these cores together; a test lets time pass. */
export const world = (states: ReadonlyArray<State>) => {
  const told: Array<Standstill & { readonly by: string }> = []
  let isLost = (_: Envelope): boolean => false
  let syncMs = (_: string): number => 0
  const syncs: Array<{ readonly node: string; readonly atMs: number; readonly seq: number }> = []
  let nowMs = Math.max(...states.map(({ lastTickMs }) => lastTickMs ?? 0))
  let random = 0

  const feed = (node: string, input: Input): void => {
    const queue = [{ to: node, input }]
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { to } = next
      const state = states.find(({ nodeId }) => nodeId === to)
      if (state === undefined) continue
      const output = step(state, next.input)
      if (output.standstill !== undefined) told.push({ ...output.standstill, by: to })
      const isSlow = syncMs(to) > 0
      if (isSlow && output.write !== undefined)
        syncs.push({ node: to, atMs: nowMs + syncMs(to), seq: output.write.seq })
      const messages = output.messages.filter((envelope) => !isLost(envelope))
      queue.push(...after(to, { ...output, messages, write: isSlow ? undefined : output.write }))
    }
  }
  const leader = () => states.find(({ role }) => role._tag === "Leader")
  return {
    told,
    leader,
    lose: (which: typeof isLost) => {
      isLost = which
    },
    slow: (which: typeof syncMs) => {
      syncMs = which
    },
    propose: (to = leader()) => {
      if (to === undefined) return
      const entries = [{ type: "transaction" as const, payload: payload("x") }]
      feed(to.nodeId, { _tag: "Propose", term: to.currentTerm, lastIndex: to.log.lastIndex, entries })
    },
    pass: (ms: number) => {
      for (const endMs = nowMs + ms; nowMs < endMs; ) {
        nowMs += 10
        for (const due of syncs.filter(({ atMs }) => atMs <= nowMs)) {
          syncs.splice(syncs.indexOf(due), 1)
          feed(due.node, { _tag: "Persisted", seq: due.seq })
        }
        for (const { nodeId } of states) {
          random = (random + 0.618) % 1
          feed(nodeId, { _tag: "Tick", nowMs, random })
        }
      }
    }
  }
}

/** Whether a message carries entries, or answers one that does. */
export const isBulk = ({ message }: Envelope) =>
  message._tag === "AppendEntries" || message._tag === "AppendEntriesReply"
