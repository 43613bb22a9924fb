/**
 * The acts that can happen to a simulated cluster, as plain data. An act holds every choice, and `perform` makes none. So
 * a run is a list of acts, which can be repeated, shortened and read. An act that does not apply does nothing.
 */
import type { MembershipChange } from "../../Raft/core/MembershipChange.ts"
import type { NodeId } from "../../Raft/core/Message.ts"
import type { Rotting } from "./Disk.ts"
import type { Look } from "./Looks.ts"
import type { ProjectionName } from "./Projections.ts"
import type { Request } from "./Request.ts"
import type { Corruption } from "./States.ts"
import type { Visit } from "./Visits.ts"

/** The message at `position` among those under way from one node to another. The oldest is at 0. */
interface OnLink {
  readonly from: NodeId
  readonly to: NodeId
  readonly position: number
}

interface OnNode {
  readonly node: NodeId
}

interface OnProjection extends OnNode {
  readonly projection: ProjectionName
}

/** Every block of the batch reaches the disk, although the node crashes within its write. */
export const allBlocks = 0xffff_ffff

/** A client, by its position. */
interface OnClient {
  readonly client: number
}

/** A reader of a run with rules, by its position. */
interface OnVisitor {
  readonly visitor: number
}

/** One step of a simulated run. */
export type Act =
  | ({ readonly _tag: "Deliver" } & OnLink)
  /** The message arrives, and stays under way to arrive again. */
  | ({ readonly _tag: "Duplicate" } & OnLink)
  | ({ readonly _tag: "Drop" } & OnLink)
  /** Time passes everywhere, but the clocks of some nodes miss it. `random` in [0, 1) spreads election timeouts. */
  | { readonly _tag: "Tick"; readonly random: number; readonly missedBy: ReadonlyArray<NodeId> }
  /** The disk syncs the next `count` writes of a node. A lying disk only says so, and forgets them at the next crash. */
  | ({ readonly _tag: "Sync"; readonly count: number; readonly isForgotten: boolean } & OnNode)
  /** The next range of committed entries, or a snapshot, reaches the machine. */
  | ({ readonly _tag: "Apply" } & OnNode)
  /** The oldest read of the log for a peer ends, with at most `count` entries. */
  | ({ readonly _tag: "ReadLog"; readonly count: number } & OnNode)
  /** The next chunk of a snapshot leaves for a peer, or the sending ends, or the node gives it up. */
  | ({ readonly _tag: "SendSnapshot"; readonly to: NodeId; readonly isGivenUp: boolean } & OnNode)
  /** The node stores the oldest chunk that has come. After the last chunk it may crash before its core knows. */
  | ({ readonly _tag: "StoreChunk"; readonly crashes: boolean } & OnNode)
  | ({ readonly _tag: "TakeSnapshot"; readonly crashes: boolean } & OnNode)
  /** The node takes its turn: it starts reads and decides commands. */
  | ({ readonly _tag: "Turn" } & OnNode)
  /** An idle client begins a request, through a node. */
  | ({ readonly _tag: "Request"; readonly request: Request; readonly isKeyed: boolean } & OnClient & OnNode)
  /** The client sends the same request again, with the same key. */
  | ({ readonly _tag: "Retry" } & OnClient & OnNode)
  /** The client asks about the outcome of its key, or closes the key, so that no copy can take effect later. */
  | ({ readonly _tag: "Inquire" } & OnClient & OnNode)
  | ({ readonly _tag: "CloseKey" } & OnClient & OnNode)
  /** The client waits no longer. */
  | ({ readonly _tag: "GiveUp" } & OnClient)
  /** A one-way link loses everything from now on. */
  | { readonly _tag: "Cut"; readonly from: NodeId; readonly to: NodeId }
  | { readonly _tag: "Mend" }
  /** The node crashes within a batch of its next `count` writes. The blocks whose bits are set reach the disk. */
  | ({ readonly _tag: "Crash"; readonly count: number; readonly blocks: number } & OnNode)
  /** The log is idle: a mark says that all of it is durable. */
  | ({ readonly _tag: "Mark" } & OnNode)
  /** One bit flips in the log of a stopped node, at this share of the bytes that are proven durable. */
  | ({ readonly _tag: "Damage"; readonly share: number } & OnNode)
  /** Damage on the disk of a stopped node, which its next start finds: a bit of the log at this share, or snapshots. */
  | ({ readonly _tag: "Rot"; readonly share: number; readonly what: Rotting } & OnNode)
  /** The node starts from its newest snapshot, or from the oldest usable one, as if the others were damaged. */
  | ({ readonly _tag: "Start"; readonly isFromOldest: boolean } & OnNode)
  /** The process stands still, and its messages wait. */
  | ({ readonly _tag: "Pause"; readonly forMs: number } & OnNode)
  /** The wall clock jumps. The monotonic clock never does. */
  | ({ readonly _tag: "JumpClock"; readonly byMs: number } & OnNode)
  /** No write completes for this long: the disk stalls, or is full. */
  | ({ readonly _tag: "StallDisk"; readonly forMs: number } & OnNode)
  | ({ readonly _tag: "LosePeer"; readonly peer: NodeId } & OnNode)
  | ({ readonly _tag: "ShutDown" } & OnNode)
  | ({ readonly _tag: "Change"; readonly change: MembershipChange } & OnNode)
  | ({ readonly _tag: "Transfer"; readonly to: NodeId | undefined } & OnNode)
  /** A projection takes the next applied entries: a page of at most `maxBytes`, and at least one entry. */
  | ({ readonly _tag: "Follow"; readonly maxBytes: number } & OnProjection)
  /** The save under way of a projection reaches the disk. */
  | ({ readonly _tag: "Save" } & OnProjection)
  /** One bit flips in the saved bytes of a projection, at this share of them. */
  | ({ readonly _tag: "DamageSave"; readonly share: number } & OnProjection)
  /** Something that is no entry changes the state of a node. */
  | ({ readonly _tag: "Corrupt"; readonly share: number; readonly what: Corruption } & OnNode)
  /** The node's next start runs code with another version of the projections. */
  | ({ readonly _tag: "Upgrade" } & OnNode)
  /** A reader, or the application, writes papers. */
  | ({ readonly _tag: "Visit"; readonly visit: Visit } & OnNode)
  /** A reader looks at a record, its past, and a list. */
  | ({ readonly _tag: "Look"; readonly look: Look } & OnVisitor & OnNode)
  /** A reader follows at a node, and no longer where it was. */
  | ({ readonly _tag: "Attend" } & OnVisitor & OnNode)
  /** A reader that follows hears what comes next. After `count` changes its connection breaks off. */
  | ({ readonly _tag: "Hear"; readonly count: number; readonly isBookmarked: boolean } & OnVisitor)
  /** The node gets an empty disk, if the cluster no longer names the node. */
  | ({ readonly _tag: "Replace" } & OnNode)

/** Writes a run as a script: one line for each act; equal acts in a row share a line. */
export const script = (acts: ReadonlyArray<Act>): ReadonlyArray<string> => {
  const lines: Array<{ readonly text: string; count: number }> = []
  for (const act of acts) {
    const text = describe(act)
    const last = lines[lines.length - 1]
    if (last?.text === text) last.count++
    else lines.push({ text, count: 1 })
  }
  return lines.map(({ count, text }) => (count === 1 ? text : `${text} ×${count}`))
}

/** An act as a line of a script, in the words of the transcripts. */
export const describe = (act: Act): string => {
  switch (act._tag) {
    case "Deliver":
      return `deliver ${link(act)}`
    case "Duplicate":
      return `duplicate ${link(act)}`
    case "Drop":
      return `drop ${link(act)}`
    case "Tick":
      return act.missedBy.length === 0 ? "tick" : `tick, missed by ${act.missedBy.join(" ")}`
    case "Sync":
      return act.isForgotten ? `forget ${act.node} ${act.count}` : `persist ${act.node} ${act.count}`
    case "Apply":
      return `apply ${act.node}`
    case "ReadLog":
      return `read log ${act.node} ${act.count}`
    case "SendSnapshot":
      return `${act.isGivenUp ? "give up snapshot" : "send snapshot"} ${act.node}→${act.to}`
    case "StoreChunk":
      return act.crashes ? `store chunk ${act.node}, crash` : `store chunk ${act.node}`
    case "TakeSnapshot":
      return act.crashes ? `snapshot ${act.node}, crash` : `snapshot ${act.node}`
    case "Turn":
      return `turn ${act.node}`
    case "Request":
      return `${describeRequest(act.request)} at ${act.node}, client ${act.client + 1}${act.isKeyed ? ", keyed" : ""}`
    case "Retry":
      return `again at ${act.node}, client ${act.client + 1}`
    case "Inquire":
      return `inquire at ${act.node}, client ${act.client + 1}`
    case "CloseKey":
      return `close key at ${act.node}, client ${act.client + 1}`
    case "GiveUp":
      return `give up, client ${act.client + 1}`
    case "Cut":
      return `cut ${act.from}→${act.to}`
    case "Mend":
      return "mend"
    case "Crash":
      if (act.count === 0 || act.blocks === 0) return `crash ${act.node}`
      return `crash ${act.node}, ${act.count} writes ${act.blocks === allBlocks ? "kept" : "torn"}`
    case "Mark":
      return `mark ${act.node}`
    case "Damage":
      return `damage ${act.node}`
    case "Rot":
      return `rot ${act.what} of ${act.node}`
    case "Start":
      return act.isFromOldest ? `restart ${act.node} from its oldest snapshot` : `restart ${act.node}`
    case "Pause":
      return `pause ${act.node} ${Math.round(act.forMs)} ms`
    case "JumpClock":
      return `jump clock ${act.node} ${Math.round(act.byMs / 1000)} s`
    case "StallDisk":
      return `stall ${act.node} ${act.forMs} ms`
    case "LosePeer":
      return `lose peer ${act.node}→${act.peer}`
    case "ShutDown":
      return `shut down ${act.node}`
    case "Change":
      return `change ${act.node} ${describeChange(act.change)}`
    case "Transfer":
      return act.to === undefined ? `transfer ${act.node}` : `transfer ${act.node} to ${act.to}`
    case "Follow":
      return `follow ${act.node} ${act.projection}, ${act.maxBytes} bytes`
    case "Save":
      return `save ${act.node} ${act.projection}`
    case "DamageSave":
      return `damage save ${act.node} ${act.projection}`
    case "Corrupt":
      return `corrupt ${act.what} ${act.node}`
    case "Upgrade":
      return `upgrade ${act.node}`
    case "Visit": {
      const { by, operations } = act.visit
      return `${by === undefined ? "the application" : `reader ${by + 1}`} at ${act.node} asks for ${JSON.stringify(operations)}`
    }
    case "Look":
      return `reader ${act.visitor + 1} at ${act.node} looks at ${act.look.model} ${act.look.id}, ${JSON.stringify(act.look.list)}`
    case "Attend":
      return `reader ${act.visitor + 1} follows at ${act.node}`
    case "Hear":
      return `reader ${act.visitor + 1} hears ${act.count === Number.MAX_SAFE_INTEGER ? "what comes" : `${act.count} changes`}${act.isBookmarked ? ", bookmarked" : ""}`
    case "Replace":
      return `replace ${act.node}`
  }
}

const link = ({ from, position, to }: OnLink): string =>
  position === 0 ? `${from}→${to}` : `${from}→${to} #${position + 1}`

const describeRequest = (request: Request): string => {
  switch (request._tag) {
    case "Read":
      return request.mayLease ? `read ${request.key} by lease` : `read ${request.key}`
    case "Create":
      return `create ${request.key}`
    case "Write":
      return `write ${request.key}`
    case "CompareAndSet":
      return `compare and set ${request.key}`
    case "Delete":
      return `delete ${request.key}`
    case "Append":
      return "append"
    case "Open":
      return "open accounts"
    case "Transfer":
      return `transfer ${request.amount} from ${request.from} to ${request.to}`
    case "Call":
      return `transfer ${request.amount} from ${request.from} to ${request.to} by command`
    case "Scrap":
      return request.isDeleted ? `delete ${request.key}` : `put ${request.key}`
    case "Reuse":
      return "another request with a used key"
  }
}

const describeChange = (change: MembershipChange): string => {
  switch (change._tag) {
    case "AddLearner":
      return `add ${change.member.id}${change.autoPromote ? " as voter" : ""}`
    case "Promote":
      return `promote ${change.id}`
    case "Remove":
      return `remove ${change.id}`
    case "Move":
      return `move ${change.moves.map(({ address, id }) => `${id} to ${address}`).join(", ")}`
    case "ReplaceVoters":
      return `voters ${change.voters.join(" ")}`
  }
}
