/**
 * Forgets messages a time after they were finished, with their replies. The leader does it; if its node has no runner, the
 * others do it a little later. A step of a workflow is kept as long as its execution, because a runner that goes on runs
 * the steps again and takes their results from here. An execution is kept as long as the one that waits for it.
 */
import { Duration, Effect, Layer } from "effect"
import { Member } from "../Cluster/Member.ts"
import { forget } from "./MessageCommands.ts"
import { executionKey, Message } from "./MessageRecords.ts"
import * as Store from "./Store.ts"

/** How long messages are kept after they were finished. */
export interface ForgettingOptions {
  /**
   * For this time, a call with a key is answered as the first call with the key was, and the result of a workflow can be
   * asked for. An hour by default.
   */
  readonly keepFinished?: Duration.Input
  /**
   * With more messages than this, the oldest finished ones are forgotten before their time, but not within a minute.
   * 200,000 by default.
   */
  readonly messagesMaxCount?: number
}

const sweepEvery = "1 second"
/** How many messages one entry forgets at most. */
const pageMaxCount = 500
/** How many messages one sweep looks at. */
const seenMaxCount = 50_000
/** For so long the sender of a request finds its reply, however many there are. */
const keptAtLeastMs = 60_000

/** How much later the nodes that do not lead forget messages. */
const otherNodesMs = 30_000

/** The member of a payload of Effect's by which an execution knows the one that began it. */
const parentKey = "~effect/cluster/ClusterWorkflowEngine/payloadParentKey"

interface Parent {
  readonly workflowName: string
  readonly executionId: string
  readonly detached?: boolean
}

const parentOf = ({ envelope, role }: Message): Parent | undefined => {
  if (role !== "execution") return undefined
  const { payload } = JSON.parse(envelope) as { readonly payload?: { readonly [parentKey]?: Parent } | null }
  const parent = payload?.[parentKey]
  return parent?.detached === true ? undefined : parent
}

/** The messages that may be forgotten now, the oldest first. */
export const forgettable = (
  store: Store.Store,
  {
    keepMs,
    messagesMaxCount,
    patienceMs
  }: { readonly keepMs: number; readonly messagesMaxCount: number; readonly patienceMs: number }
): ReadonlyArray<{ readonly id: string; readonly finishedMs: number }> => {
  const ageMs = store.logAgeMs() - patienceMs
  const found: Array<{ readonly id: string; readonly finishedMs: number }> = []
  const surplusCount = store.count(Message) - messagesMaxCount
  let seenCount = 0
  for (const { record } of store.from(Message, "finishedMs", 0)) {
    const { finishedMs = ageMs, id } = record
    const isSurplus = found.length < surplusCount && finishedMs <= ageMs - keptAtLeastMs
    seenCount += 1
    if (found.length === pageMaxCount || seenCount > seenMaxCount) break
    if (finishedMs > ageMs - keepMs && !isSurplus) break
    const parent = parentOf(record)
    const key = parent && executionKey(`Workflow/${parent.workflowName}/${parent.executionId}`)
    const waiting = key === undefined ? undefined : store.list(Message, "key", key)[0]
    if (waiting !== undefined && waiting.record.finishedMs === undefined) continue
    found.push({ id, finishedMs })
  }
  return found
}

/** Forgets finished messages. */
export const layerForgetting = ({
  keepFinished = "1 hour",
  messagesMaxCount = 200_000
}: ForgettingOptions = {}): Layer.Layer<never, never, Member> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const store = yield* Store.make
      const member = yield* Member
      const keepMs = Duration.toMillis(Duration.fromInputUnsafe(keepFinished))
      const sweep: Effect.Effect<void, unknown> = Effect.suspend(() => {
        const patienceMs = member.leader() === member.self.nodeId ? 0 : otherNodesMs
        const messages = forgettable(store, { keepMs, messagesMaxCount, patienceMs })
        if (messages.length === 0) return Effect.void
        return Effect.flatMap(store.call(forget, { messages }), (areGone) =>
          areGone && messages.length < pageMaxCount ? Effect.void : Effect.andThen(Effect.yieldNow, sweep)
        )
      })
      const always = sweep.pipe(
        Effect.catchCause((cause) => Effect.logDebug("Finished messages were not forgotten, and will be later", cause)),
        Effect.andThen(Effect.sleep(sweepEvery)),
        Effect.forever
      )
      yield* Effect.forkScoped(always)
    })
  )
