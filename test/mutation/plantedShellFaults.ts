/**
 * Faults of a line or so in the shell of a node, each of which runs under harm (test/Testing/Harm.ts) must find within
 * `seedsCount` seeds. A list, and no more: plantedFaults.test.ts plants them one by one in the sources.
 */
import type { PlantedFault } from "./plantedFaults.ts"

export const plantedShellFaults: ReadonlyArray<PlantedFault> = [
  {
    name: "a read is answered before its index is applied",
    breaks: "diss. 6.4",
    seedsCount: 20,
    file: "src/Raft/node/makeRaftNode.ts",
    find: "WaitingReads.finish(reads, Reads.readableIndex(core))",
    replace: "WaitingReads.finish(reads, Number.MAX_SAFE_INTEGER)"
  },
  {
    name: "a write is called durable before it is synced",
    breaks: "C1, C2",
    fromSeed: 12,
    seedsCount: 20,
    file: "src/Raft/node/LogWriter.ts",
    find: `    beganMs = options.nowMs()
`,
    replace: `    beganMs = options.nowMs()
    options.onPersisted(seq)
`
  },
  {
    name: "a command is answered when it is proposed",
    breaks: "Leader Completeness",
    seedsCount: 20,
    file: "src/Raft/node/CommandQueue.ts",
    find: "    Waiters.add(waiters, { index: answered.index, term }, waiter)\n",
    replace: `    Waiters.add(waiters, { index: answered.index, term }, waiter)
    waiter.settle(Exit.succeed(answered))
`
  },
  {
    name: "a request that waits for an entry is forgotten when it is applied",
    breaks: "C18",
    seedsCount: 20,
    file: "src/Raft/node/CommandQueue.ts",
    find: "    settle(deciding, ticket, Exit.succeed(ticket.proposed))\n",
    replace: ""
  },
  {
    name: "a request is called not done when the link to its leader breaks",
    breaks: "C18",
    seedsCount: 20,
    file: "src/Cluster/Forwarding.ts",
    find: `take(requestId)?.settle(unknown(message))`,
    replace: `take(requestId)?.settle(notDone("no-quorum", message))`
  },
  {
    name: "a local read is answered before a quorum has confirmed what a node recovered",
    breaks: "diss. 6.4",
    fromSeed: 2,
    seedsCount: 20,
    file: "src/Repository/Freshness.ts",
    find: "    if (foundMs === undefined) return settleNow(settle, Exit.fail(starting))",
    replace: "    if (foundMs === undefined) return settleNow(settle, Exit.succeed({ staleMs: 0 }))"
  }
]
