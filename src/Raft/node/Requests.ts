/** Submissions and reads of a node as Effects. If the caller is interrupted, it gives its request up. */
import { Effect } from "effect"
import type { Answered } from "./CommandQueue.ts"
import type { NotDone, UnknownOutcome } from "./Outcome.ts"
import type { RaftNode } from "./RaftNode.ts"

/** {@link RaftNode.submit} as an Effect. */
export const submit = <Command, Answer>(
  node: Pick<RaftNode<Command, Answer>, "submit">,
  command: Command,
  timeoutMs: number
): Effect.Effect<Answered<Answer>, NotDone | UnknownOutcome> =>
  Effect.callback((resume) => Effect.sync(node.submit(command, timeoutMs, resume)))

/** {@link RaftNode.readIndex} as an Effect. */
export const readIndex = (
  node: Pick<RaftNode<never, never>, "readIndex">,
  timeoutMs: number
): Effect.Effect<number, NotDone> => Effect.callback((resume) => Effect.sync(node.readIndex(timeoutMs, resume)))
