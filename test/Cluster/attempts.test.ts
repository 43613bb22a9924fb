import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, FiberSet } from "effect"
import { TestClock } from "effect/testing"
import * as Attempts from "../../src/Cluster/Attempts.ts"
import * as Timeouts from "../../src/Cluster/Timeouts.ts"
import { draining as leaving, NotDone, UnknownOutcome } from "../../src/Raft/node/Outcome.ts"
import { beginEffect, outcomeOf } from "../../src/Raft/node/Settle.ts"

const lost = new NotDone({ reason: "no-quorum", message: "the leader was lost" })
const full = new NotDone({ reason: "overloaded", message: "the queue is full" })
const unknown = new UnknownOutcome({ message: "no answer" })

type Attempt = Effect.Effect<string, NotDone | UnknownOutcome>

/** The requests of a node with this leadership. The attempt of each is an effect. */
const startWith = Effect.fnUntraced(function* (leadership: Attempts.Leadership) {
  const fork = yield* FiberSet.makeRuntime<never>()
  const timeouts = Timeouts.make({ clock: yield* Clock.Clock, fork })
  const attempts = Attempts.make({ leadership, timeouts })
  const untilAnswered = (
    request: Omit<Attempts.Request<string, NotDone | UnknownOutcome>, "attempt"> & {
      readonly attempt: (leader: string) => Attempt
    }
  ): Attempt =>
    outcomeOf<string, NotDone | UnknownOutcome>((settle) =>
      attempts.untilAnswered<string, NotDone | UnknownOutcome>(
        { ...request, attempt: (leader, _, answered) => beginEffect(fork, request.attempt(leader), answered) },
        settle
      )
    )
  return { untilAnswered, leadershipChanged: attempts.leadershipChanged }
})

/** Asks leaders that answer in this order; the last one answers again and again. */
const ask = Effect.fnUntraced(function* (
  answers: ReadonlyArray<Attempt>,
  options: {
    readonly isRepeatable?: boolean
    readonly holdsForCopies?: (answer: string) => boolean
    readonly leaderlessSinceMs?: number
    readonly givesUpAfter?: number
  } = {}
) {
  let attemptsCount = 0
  const { untilAnswered } = yield* startWith({
    leader: () => (answers.length === 0 ? undefined : "a"),
    leaderlessSinceMs: () => options.leaderlessSinceMs,
    refused: () => (attemptsCount >= (options.givesUpAfter ?? Number.POSITIVE_INFINITY) ? leaving : undefined)
  })
  const asked = yield* untilAnswered({
    isRepeatable: options.isRepeatable ?? false,
    ...(options.holdsForCopies === undefined ? {} : { holdsForCopies: options.holdsForCopies }),
    attempt: () => answers[Math.min(attemptsCount++, answers.length - 1)]!
  }).pipe(Effect.exit, Effect.forkChild)
  yield* TestClock.adjust("5 seconds")
  return { exit: yield* Fiber.join(asked), attemptsCount }
})

describe("untilAnswered", () => {
  it.effect("passes from a leader that is lost, or stops, to the next", () =>
    Effect.gen(function* () {
      const { attemptsCount, exit } = yield* ask([Effect.fail(lost), Effect.fail(leaving), Effect.succeed("done")])
      assert.deepStrictEqual([exit._tag, attemptsCount], ["Success", 3])
    })
  )

  it.effect("gives up when no leader comes, and says what the last one said", () =>
    Effect.gen(function* () {
      const { exit } = yield* ask([Effect.fail(leaving)])
      assert.deepStrictEqual(exit, yield* Effect.exit(Effect.fail(leaving)))
    })
  )

  it.effect("a refusal that no other leader would change is passed on at once", () =>
    Effect.gen(function* () {
      const { attemptsCount, exit } = yield* ask([Effect.fail(full), Effect.succeed("done")])
      assert.deepStrictEqual([exit._tag, attemptsCount], ["Failure", 1])
    })
  )

  it.effect("what may be done is not done again, unless twice is once (C18)", () =>
    Effect.gen(function* () {
      const once = yield* ask([Effect.fail(unknown), Effect.succeed("done")])
      assert.deepStrictEqual([once.exit._tag, once.attemptsCount], ["Failure", 1])
      const keyed = yield* ask([Effect.fail(unknown), Effect.succeed("done")], { isRepeatable: true })
      assert.deepStrictEqual([keyed.exit._tag, keyed.attemptsCount], ["Success", 2])
    })
  )

  it.effect(
    "a leader that hangs is followed by another, which a keyed request is sent to as long as there is time",
    () =>
      Effect.gen(function* () {
        /** The leader `a` hangs for so long that `b` leads after it. */
        const askAfter = Effect.fnUntraced(function* (hungMs: number) {
          let leader = "a"
          const { untilAnswered } = yield* startWith({
            leader: () => leader,
            leaderlessSinceMs: () => undefined,
            refused: () => undefined
          })
          const asked = yield* untilAnswered({
            isRepeatable: true,
            attempt: (to): Attempt => {
              if (to === "b") return Effect.succeed("done")
              leader = "b"
              return Effect.delay(Effect.fail(unknown), hungMs)
            }
          }).pipe(Effect.exit, Effect.forkChild)
          yield* TestClock.adjust("5 seconds")
          return (yield* Fiber.join(asked))._tag
        })
        assert.deepStrictEqual([yield* askAfter(1_900), yield* askAfter(2_100)], ["Success", "Failure"])
      })
  )

  it.effect("after one unknown attempt no refusal makes the request certainly not done (C18)", () =>
    Effect.gen(function* () {
      for (const refusal of [lost, full]) {
        const { exit } = yield* ask([Effect.fail(unknown), Effect.fail(refusal)], { isRepeatable: true })
        assert.deepStrictEqual(exit, yield* Effect.exit(Effect.fail(unknown)))
      }
    })
  )

  it.effect("after one unknown attempt an answer that holds for no copy makes nothing certain (C18)", () =>
    Effect.gen(function* () {
      const options = { isRepeatable: true, holdsForCopies: (answer: string) => answer === "done" }
      const refused = yield* ask([Effect.fail(unknown), Effect.succeed("too old")], options)
      assert.deepStrictEqual(refused.exit, yield* Effect.exit(Effect.fail(unknown)))
      const done = yield* ask([Effect.fail(unknown), Effect.succeed("done")], options)
      assert.deepStrictEqual(done.exit, yield* Effect.exit(Effect.succeed("done")))
      // Where no other copy is under way, it is the answer, after whatever was certainly not done.
      const alone = yield* ask([Effect.fail(lost), Effect.succeed("too old")], options)
      assert.deepStrictEqual(alone.exit, yield* Effect.exit(Effect.succeed("too old")))
    })
  )

  it.effect("a node that is about to stop tries nothing again, and what may be done stays unknown (C18)", () =>
    Effect.gen(function* () {
      const keyed = yield* ask([Effect.fail(unknown), Effect.succeed("done")], { isRepeatable: true, givesUpAfter: 1 })
      assert.deepStrictEqual([keyed.exit, keyed.attemptsCount], [yield* Effect.exit(Effect.fail(unknown)), 1])
      for (const answers of [[Effect.fail(lost)], []]) {
        const { exit } = yield* ask(answers, { givesUpAfter: answers.length })
        assert.deepStrictEqual(exit, yield* Effect.exit(Effect.fail(leaving)))
      }
    })
  )

  it.effect("a node that has long been without a leader says so at once", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("10 seconds")
      const { untilAnswered } = yield* startWith({
        leader: () => undefined,
        leaderlessSinceMs: () => 1,
        refused: () => undefined
      })
      const asked = yield* untilAnswered({
        isRepeatable: false,
        attempt: (): Attempt => Effect.fail(lost)
      }).pipe(Effect.flip)
      assert.strictEqual(asked._tag, "NotDone")
    })
  )

  it.effect("a request that waits for a leader is sent to the one that is elected, at once", () =>
    Effect.gen(function* () {
      const known: { leader: string | undefined } = { leader: undefined }
      const { leadershipChanged, untilAnswered } = yield* startWith({
        leader: () => known.leader,
        leaderlessSinceMs: () => undefined,
        refused: () => undefined
      })
      const attempt = (to: string): Attempt => (to === "a" ? Effect.fail(lost) : Effect.succeed(`done by ${to}`))
      const asked = yield* Effect.forkChild(untilAnswered({ isRepeatable: false, attempt }), { startImmediately: true })
      for (const leader of ["a", "b"]) {
        known.leader = leader
        leadershipChanged()
      }
      assert.strictEqual(yield* Fiber.join(asked), "done by b")
    })
  )

  it.effect("a request that is given up is sent to nobody any more", () =>
    Effect.gen(function* () {
      let attemptsCount = 0
      const { leadershipChanged, untilAnswered } = yield* startWith({
        leader: () => "a",
        leaderlessSinceMs: () => undefined,
        refused: () => undefined
      })
      const attempt = (): Attempt => Effect.suspend(() => Effect.fail(++attemptsCount > 0 ? lost : full))
      const asked = yield* Effect.forkChild(untilAnswered({ isRepeatable: false, attempt }), { startImmediately: true })
      yield* TestClock.adjust("30 millis")
      yield* Fiber.interrupt(asked)
      const before = attemptsCount
      assert.isAbove(before, 1)
      leadershipChanged()
      yield* TestClock.adjust("1 second")
      assert.strictEqual(attemptsCount, before)
    })
  )
})
