/**
 * The span of a traced command on its way to the leader and back. The order names this span, so that those of the leader
 * are below it. A leader that speaks an older protocol refuses orders that name one.
 */
import { Exit } from "effect"
import type { Command } from "../Machine/Command.ts"
import type { NodeId } from "../Raft/core/Message.ts"
import type { Settle } from "../Raft/node/Settle.ts"
import { parentIn, type Tracing, traceparentOf } from "../Tracing.ts"

/** A command, and who hears of its outcome. */
export interface Sent<A, E> {
  readonly command: Command
  readonly settle: Settle<A, E>
}

/** Begins the span of a command whose parent `trace` names, if this node records spans. Returns what to send. */
export const begin = <A, E>(
  { command, settle, trace }: Sent<A, E> & { readonly trace: string },
  options: {
    readonly tracing: Tracing | undefined
    readonly nodeId: NodeId
    readonly leader: NodeId
    /** Whether the leader's protocol knows orders that name a span. */
    readonly isKnown: (leader: NodeId) => boolean
  }
): Sent<A, E> => {
  const { leader, nodeId, tracing } = options
  const { trace: _, ...untraced } = command
  const parent = tracing === undefined ? undefined : parentIn(trace)
  if (tracing === undefined || parent === undefined) return { command: untraced as Command, settle }
  const span = tracing.begin("lithair.forward", { parent, kind: "client" })
  span.note("lithair.node", nodeId)
  span.note("lithair.leader", leader)
  return {
    command: (options.isKnown(leader) ? { ...untraced, trace: traceparentOf(span.span) } : untraced) as Command,
    settle: (exit) => {
      span.note("lithair.outcome", Exit.isSuccess(exit) ? "answered" : "unanswered")
      span.end(Exit.void)
      settle(exit)
    }
  }
}
