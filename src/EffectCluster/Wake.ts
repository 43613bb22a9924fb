/**
 * Has the runner of this node look for messages when there are some, so that nobody polls. Whoever saves a message tells the
 * runner of its shard, too, and is answered on that call. So this waits a moment, and wakes the runner for messages that it
 * has not taken by then: their sender died, or they were opened again, or they are due now.
 */
import { Clock, Effect, Latch, Layer } from "effect"
import { Sharding } from "effect/cluster"
import { Member } from "../Cluster/Member.ts"
import { describe } from "../Model/Class.ts"
import { isOpen, Message } from "./MessageRecords.ts"
import { Claims } from "./MessageStorage.ts"
import { ShardLock } from "./RunnerRecords.ts"
import * as Store from "./Store.ts"

/** How long the sender of a message has to tell the runner. */
const graceMs = 25
/** How many messages of other runners are passed over in search of the next one of this runner. */
const passedMaxCount = 1_000
/** How many messages are looked at one by one. With more, the runner looks for them itself. */
const touchedMaxCount = 10_000
/** The longest sleep: a timer of a runtime takes no more. */
const sleepMaxMs = 60_000

const watch = Effect.gen(function* () {
  const store = yield* Store.make
  const member = yield* Member
  const sharding = yield* Sharding.Sharding
  const claims = yield* Claims
  const messages = describe(Message).name
  const locks = describe(ShardLock).name
  const latch = yield* Latch.make()
  const touched = new Set<string>()
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      member.watch({
        touched: (model, id) => {
          if (model !== messages && model !== locks) return
          // With another shard come other times at which something is due.
          if (model === messages && touched.size < touchedMaxCount) touched.add(id)
          latch.openUnsafe()
        },
        replaced: () => latch.openUnsafe()
      })
    ),
    (end) => Effect.sync(end)
  )

  const isMine = ({ shard }: Message) => store.get(ShardLock, shard)?.record.holder === claims.runner
  const isLeft = (id: string, nowMs: number): boolean => {
    const message = store.get(Message, id)?.record
    return message !== undefined && isOpen(message, nowMs) && isMine(message) && !claims.has(id)
  }

  /** When the next message of this runner is due. */
  const nextDueMs = (nowMs: number): number => {
    let passedCount = 0
    for (const { record } of store.from(Message, "dueMs", nowMs + 1)) {
      passedCount += 1
      if (isMine(record) || passedCount === passedMaxCount) return record.dueMs ?? nowMs
    }
    return Number.POSITIVE_INFINITY
  }

  for (;;) {
    const beganMs = yield* Clock.currentTimeMillis
    const dueMs = nextDueMs(beganMs)
    const rest = Effect.sleep(Math.min(dueMs - beganMs, sleepMaxMs))
    yield* dueMs === Number.POSITIVE_INFINITY ? latch.await : Effect.raceFirst(latch.await, rest)
    latch.closeUnsafe()
    if ((yield* Clock.currentTimeMillis) < dueMs) yield* Effect.sleep(graceMs)
    const nowMs = yield* Clock.currentTimeMillis
    const isCrowded = touched.size >= touchedMaxCount
    const ids = [...touched]
    touched.clear()
    if (nowMs >= dueMs || isCrowded || ids.some((id) => isLeft(id, nowMs))) yield* sharding.pollStorage
  }
})

/** Wakes the runner of this node for messages that nobody tells it of. */
export const layerWake: Layer.Layer<never, never, Sharding.Sharding | Claims | Member> = Layer.effectDiscard(
  Effect.forkScoped(watch)
)
