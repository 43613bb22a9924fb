/** What happens to the elements of persisted queues: the commands of Queue.ts, each one entry of the log. */
import { Effect, Layer, Schema } from "effect"
import { make } from "../Command/Declaration.ts"
import { layer } from "../Command/Handler.ts"
import { Transaction } from "../Command/Transaction.ts"
import { logAgeMs, orDie } from "./Handling.ts"
import { keyOf, QueueElement } from "./QueueRecords.ts"

const text = Schema.String

/** Offers an element. An id that was offered before changes nothing. */
export const offer = make("lithair/queue-offer", {
  payload: Schema.Struct({ queue: text, elementId: text, element: text, delayMs: Schema.Int }),
  success: Schema.Void,
  http: false
})

/**
 * Has a taker take the first of these elements that may be taken. Null if there is none: other takers were faster. The node
 * of the taker names elements that it has seen waiting, so that no queue is too long to decide this. An element whose last
 * attempt nobody has ended within its lease has failed.
 */
export const take = make("lithair/queue-take", {
  payload: Schema.Struct({
    ids: Schema.Array(text),
    taker: text,
    attemptsMaxCount: Schema.Int,
    leaseMs: Schema.Int
  }),
  success: Schema.NullOr(Schema.Struct({ elementId: text, element: text, attemptsCount: Schema.Int })),
  http: false
})

/** Prolongs the lease of a taker. */
export const renew = make("lithair/queue-renew", {
  payload: Schema.Struct({ queue: text, elementId: text, taker: text, leaseMs: Schema.Int }),
  success: Schema.Boolean,
  http: false
})

/** Ends what a taker does with its element, unless another one has taken it since. */
export const settle = make("lithair/queue-settle", {
  payload: Schema.Struct({
    queue: text,
    elementId: text,
    taker: text,
    /** `release`: it was interrupted, and this was no attempt. `retry`: it failed, and waits for `delayMs`. */
    how: Schema.Literals(["complete", "fail", "retry", "release"]),
    delayMs: Schema.Int
  }),
  success: Schema.Void,
  http: false
})

/** Removes elements that are finished. */
export const removeFinished = make("lithair/queue-remove", {
  payload: Schema.Struct({ ids: Schema.Array(text) }),
  success: Schema.Void,
  http: false
})

/** The commands of queues. */
export const commands = [offer, take, renew, settle, removeFinished] as const

const find = Effect.fnUntraced(function* (queue: string, elementId: string) {
  const transaction = yield* Transaction
  const [found] = yield* transaction.list(QueueElement, { where: { key: keyOf(queue, elementId) }, limit: 1 })
  return found
})

/** An element that nobody takes any more. */
const closed = ({ openQueue: _open, taker: _taker, ...left }: QueueElement) => left

/** The handlers of these commands. */
export const layerHandlers = Layer.mergeAll(
  layer(
    offer,
    Effect.fnUntraced(function* ({ delayMs, element, elementId, queue }) {
      const transaction = yield* Transaction
      if ((yield* find(queue, elementId)) !== undefined) return
      yield* transaction.create(QueueElement, {
        id: yield* transaction.newId,
        queue,
        key: keyOf(queue, elementId),
        elementId,
        element,
        state: "waiting",
        openQueue: queue,
        attemptsCount: 0,
        visibleMs: (yield* logAgeMs) + delayMs
      })
    }, orDie)
  ),
  layer(
    take,
    Effect.fnUntraced(
      function* ({ attemptsMaxCount, ids, leaseMs, taker }) {
        const transaction = yield* Transaction
        const ageMs = yield* logAgeMs
        const asked: Array<QueueElement> = []
        for (const id of ids) {
          const found = yield* transaction.find(QueueElement, id)
          if (found._tag === "Some") asked.push(found.value)
        }
        // A copy of this very request was done before, and its sender did not hear of that.
        const mine = asked.find((element) => element.taker === taker)
        if (mine !== undefined) return mine
        const free = asked.filter(({ openQueue, visibleMs }) => openQueue !== undefined && visibleMs <= ageMs)
        for (const element of free) {
          if (element.attemptsCount < attemptsMaxCount) continue
          yield* transaction.put(QueueElement, { ...closed(element), state: "failed", failedMs: ageMs })
        }
        const first = free.find(({ attemptsCount }) => attemptsCount < attemptsMaxCount)
        if (first === undefined) return null
        const attemptsCount = first.attemptsCount + 1
        const taken = { ...first, state: "taken" as const, attemptsCount, taker, visibleMs: ageMs + leaseMs }
        yield* transaction.put(QueueElement, taken)
        return taken
      },
      Effect.map(
        (taken) => taken && { elementId: taken.elementId, element: taken.element, attemptsCount: taken.attemptsCount }
      ),
      orDie
    )
  ),
  layer(
    renew,
    Effect.fnUntraced(function* ({ elementId, leaseMs, queue, taker }) {
      const transaction = yield* Transaction
      const found = yield* find(queue, elementId)
      if (found?.taker !== taker) return false
      yield* transaction.put(QueueElement, { ...found, visibleMs: (yield* logAgeMs) + leaseMs })
      return true
    }, orDie)
  ),
  layer(
    settle,
    Effect.fnUntraced(function* ({ delayMs, elementId, how, queue, taker }) {
      const transaction = yield* Transaction
      const found = yield* find(queue, elementId)
      if (found?.taker !== taker) return
      const left = closed(found)
      const ageMs = yield* logAgeMs
      if (how === "complete") yield* transaction.put(QueueElement, { ...left, state: "completed", completedMs: ageMs })
      else if (how === "fail") yield* transaction.put(QueueElement, { ...left, state: "failed", failedMs: ageMs })
      else {
        const attemptsCount = how === "release" ? left.attemptsCount - 1 : left.attemptsCount
        const visibleMs = ageMs + delayMs
        yield* transaction.put(QueueElement, { ...left, state: "waiting", openQueue: queue, attemptsCount, visibleMs })
      }
    }, orDie)
  ),
  layer(
    removeFinished,
    Effect.fnUntraced(function* ({ ids }) {
      const transaction = yield* Transaction
      for (const id of ids) {
        const found = yield* transaction.find(QueueElement, id)
        if (found._tag === "Some" && found.value.openQueue === undefined) yield* transaction.delete(QueueElement, id)
      }
    }, orDie)
  )
)
