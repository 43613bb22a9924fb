/** The cluster of a transcript: it performs what the cores put out, and carries messages only when the story says so. */
import { decodeConfiguration, encodeConfiguration } from "../../../src/Raft/core/ConfigurationCodec.ts"
import * as Configurations from "../../../src/Raft/core/Configurations.ts"
import type { Input } from "../../../src/Raft/core/Input.ts"
import { mayTake } from "../../../src/Raft/core/Instances.ts"
import type { Envelope, Message, NodeId } from "../../../src/Raft/core/Message.ts"
import type { Output, ReadReady, SnapshotRequest } from "../../../src/Raft/core/Output.ts"
import { step } from "../../../src/Raft/core/step.ts"
import * as Checks from "./TranscriptChecks.ts"
import * as Node from "./TranscriptNode.ts"

export interface Read {
  readonly id: number
  /** What was committed anywhere when it began: to answer it from less is to lie. */
  readonly atLeastIndex: number
  answer: "waiting" | "refused" | ReadReady
}

/** A message on its way, and the data directory of whoever sent it. */
export interface Sent extends Envelope {
  readonly instanceId: string
}

export interface Cluster {
  readonly nodes: Map<NodeId, Node.Node>
  /** In the order in which they were sent. */
  wire: Array<Sent>
  /** What the network delivers once more when the story says so. */
  readonly copies: Array<Sent>
  /** Links on which nothing arrives any more, and links that `settle` leaves alone: each as "1→2". */
  readonly cut: Set<string>
  readonly held: Set<string>
  readonly reads: Map<string, Read>
  readonly seen: Checks.Seen
  /** Why the latest request was refused, until the story says that it was. */
  refusal: string | undefined
  nextRequestId: number
}

export const make = (): Cluster => ({
  nodes: new Map(),
  wire: [],
  copies: [],
  cut: new Set(),
  held: new Set(),
  reads: new Map(),
  seen: Checks.make(),
  refusal: undefined,
  nextRequestId: 1
})

export const linkOf = ({ from, to }: Envelope): string => `${from}→${to}`

const tickMs = 10

/** Feeds one input, and all that follows from it on that node alone. A node that is down takes nothing. */
export const feed = (cluster: Cluster, node: Node.Node, input: Input): Output | undefined => {
  const { core } = node
  if (core === undefined) return undefined
  const output = step(core, input)
  const inputs = perform(cluster, node, output)
  Checks.check(cluster)
  for (const each of inputs) feed(cluster, node, each)
  return output
}

/** Time passes on one node; `isOver` may end it. */
export const tick = (cluster: Cluster, node: Node.Node, ms: number, isOver = (): boolean => false): void => {
  for (let elapsedMs = 0; elapsedMs < ms && !isOver(); elapsedMs += tickMs) {
    node.clockMs += tickMs
    feed(cluster, node, tickAt(node))
  }
}

/** Time passes on all nodes, and whatever is said arrives at once. */
export const run = (cluster: Cluster, ms: number): void => {
  for (let elapsedMs = 0; elapsedMs < ms; elapsedMs += tickMs) {
    for (const node of cluster.nodes.values()) tick(cluster, node, tickMs)
    settle(cluster)
  }
}

/** Late in the range of timeouts, so that a node forgets its leader well before it campaigns; each at a time of its own. */
const tickAt = ({ clockMs, seat }: Node.Node): Input => ({ _tag: "Tick", nowMs: clockMs, random: 1 - 0.05 * seat })

export const start = (cluster: Cluster, node: Node.Node): void => {
  Node.start(node)
  feed(cluster, node, tickAt(node))
}

/** Delivers these messages, in order; what is said in answer waits. */
export const deliver = (cluster: Cluster, chosen: ReadonlyArray<Sent>): void => {
  take(cluster, chosen)
  for (const sent of chosen) {
    const node = cluster.nodes.get(sent.to)!
    const peer = { id: sent.from, instanceId: sent.instanceId }
    if (node.core === undefined) lost(cluster, sent)
    else if (mayTake(node.core.configuration, peer, sent.message)) {
      feed(cluster, node, { _tag: "Receive", from: sent.from, message: sent.message })
    }
  }
}

/** Delivers until nobody has anything more to say, but on links that are held. */
export const settle = (cluster: Cluster): void => {
  for (let rounds = 0; rounds < 1_000; rounds++) {
    const chosen = cluster.wire.filter((sent) => !cluster.held.has(linkOf(sent)))
    if (chosen.length === 0) return
    deliver(cluster, chosen)
  }
  throw new Error("the cluster does not fall silent")
}

export const drop = (cluster: Cluster, chosen: ReadonlyArray<Sent>): void => {
  take(cluster, chosen)
  for (const sent of chosen) lost(cluster, sent)
}

/** Links on which nothing arrives from now on; what is on its way there is lost too. */
export const cut = (cluster: Cluster, isCut: (link: string) => boolean): void => {
  for (const from of cluster.nodes.keys()) {
    for (const to of cluster.nodes.keys()) if (from !== to && isCut(`${from}→${to}`)) cluster.cut.add(`${from}→${to}`)
  }
  drop(
    cluster,
    cluster.wire.filter((sent) => cluster.cut.has(linkOf(sent)))
  )
}

const take = (cluster: Cluster, chosen: ReadonlyArray<Sent>): void => {
  cluster.wire = cluster.wire.filter((sent) => !chosen.includes(sent))
}

const send = (cluster: Cluster, { instanceId }: Node.Node, envelope: Envelope): void => {
  if (cluster.cut.has(linkOf(envelope)) || !cluster.nodes.has(envelope.to)) lost(cluster, envelope)
  else cluster.wire.push({ ...envelope, instanceId })
}

/** Who sends a snapshot learns that its sending failed; nobody learns of any other loss. */
const lost = (cluster: Cluster, { from, message, to }: Envelope): void => {
  if (message._tag !== "InstallSnapshot") return
  feed(cluster, cluster.nodes.get(from)!, { _tag: "SnapshotSent", peer: to, ok: false })
}

/** Syncs what the node has written, and tells its core. */
export const persist = (cluster: Cluster, node: Node.Node): void => {
  const last = node.unsynced.at(-1)
  node.disk = Node.written(node)
  node.unsynced = []
  if (last !== undefined) feed(cluster, node, { _tag: "Persisted", seq: last.seq })
}

/** Does what the core wants done, in the order of its output; returns what that completes at once. */
const perform = (cluster: Cluster, node: Node.Node, output: Output): ReadonlyArray<Input> => {
  const inputs: Array<Input> = []
  if (output.write !== undefined) {
    node.unsynced.push(output.write)
    if (!node.isSlow) {
      node.disk = Node.written(node)
      node.unsynced = []
      inputs.push({ _tag: "Persisted", seq: output.write.seq })
    }
  }
  for (const envelope of output.messages) send(cluster, node, envelope)
  if (output.restore !== undefined) inputs.push({ _tag: "Applied", index: output.restore.index })
  if (output.apply !== undefined) inputs.push({ _tag: "Applied", index: output.apply.toIndex })
  if (output.compact !== undefined) node.disk = Node.compact(node.disk, output.compact.throughIndex)
  for (const ready of output.readsReady) inputs.push(...answered(cluster, node, ready))
  for (const readId of output.readsRefused) answer(cluster, readId, "refused")
  for (const { fromIndex, peer } of output.readLog) {
    const entries = Node.written(node).entries.filter(({ index }) => index === fromIndex)
    inputs.push({ _tag: "LogRead", peer, entries })
  }
  for (const request of output.needsSnapshot) sendSnapshot(cluster, node, request)
  if (output.snapshotChunk !== undefined) inputs.push(installed(node, output.snapshotChunk.message))
  const { snapshotReply } = output
  if (snapshotReply?.message.installed === true) {
    inputs.push({ _tag: "SnapshotSent", peer: snapshotReply.peer, ok: true })
  }
  return inputs
}

/** What was read under a lease counts only if the clock, looked at again, is still within it; else it is read anew (C7). */
const answered = (cluster: Cluster, node: Node.Node, ready: ReadReady): ReadonlyArray<Input> => {
  if (ready.leaseUntilMs !== undefined && node.clockMs >= ready.leaseUntilMs) {
    return [{ _tag: "Read", readIds: [ready.readId] }]
  }
  answer(cluster, ready.readId, ready)
  return []
}

const answer = (cluster: Cluster, readId: number, given: Read["answer"]): void => {
  for (const read of cluster.reads.values()) if (read.id === readId) read.answer = given
}

/** A snapshot of the machine as applied: durable as soon as it is taken, and noted in the log by the core. */
export const takeSnapshot = (cluster: Cluster, node: Node.Node): void => {
  const { core } = node
  if (core === undefined) throw new Error(`${node.id} is down`)
  const index = core.lastApplied
  const term = Node.termAt(Node.written(node), index)
  if (term === undefined) throw new Error(`${node.id} holds no entry ${index} to take a snapshot at`)
  const { configuration } = Configurations.at(core.configurations, index)
  node.disk = { ...node.disk, snapshot: { index, term, configuration } }
  feed(cluster, node, { _tag: "LocalSnapshot", index })
}

/** The whole of it in one chunk: how chunks are put together is the shell's, and is tested there. */
const sendSnapshot = (cluster: Cluster, node: Node.Node, { atLeastIndex, peer }: SnapshotRequest): void => {
  const { snapshot } = node.disk
  if (snapshot === undefined || snapshot.index < atLeastIndex) throw new Error(`${node.id} has no snapshot to send`)
  send(cluster, node, {
    from: node.id,
    to: peer,
    message: {
      _tag: "InstallSnapshot",
      term: node.core?.currentTerm ?? 0,
      snapshotIndex: snapshot.index,
      snapshotTerm: snapshot.term,
      configuration: encodeConfiguration(snapshot.configuration),
      totalBytes: 1,
      digest: "",
      offset: 0,
      chunk: new Uint8Array(1)
    }
  })
}

const installed = (node: Node.Node, message: Message & { readonly _tag: "InstallSnapshot" }): Input => {
  const decoded = decodeConfiguration(message.configuration)
  if (decoded._tag !== "Configuration") throw new Error(`the snapshot's configuration is bad: ${decoded.found}`)
  const { configuration } = decoded
  const mark = { index: message.snapshotIndex, term: message.snapshotTerm }
  node.disk = { ...node.disk, snapshot: { ...mark, configuration } }
  return { _tag: "SnapshotInstalled", ...mark, configuration }
}
