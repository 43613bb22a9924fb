import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { untilAnswered } from "../../src/Cluster/Attempts.ts"
import { draining as leaving, NotDone, UnknownOutcome } from "../../src/Raft/node/Outcome.ts"

const lost = new NotDone({ reason: "no-quorum", message: "the leader was lost" })
const full = new NotDone({ reason: "overloaded", message: "the queue is full" })
const unknown = new UnknownOutcome({ message: "no answer" })

type Attempt = Effect.Effect<string, NotDone | UnknownOutcome>

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
  const asked = yield* untilAnswered({
    leadership: {
      leader: () => (answers.length === 0 ? undefined : "a"),
      leaderlessSinceMs: () => options.leaderlessSinceMs,
      refused: () => (attemptsCount >= (options.givesUpAfter ?? Number.POSITIVE_INFINITY) ? leaving : undefined)
    },
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
          const asked = yield* untilAnswered({
            leadership: { leader: () => leader, leaderlessSinceMs: () => undefined, refused: () => undefined },
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
      const asked = yield* untilAnswered({
        leadership: { leader: () => undefined, leaderlessSinceMs: () => 1, refused: () => undefined },
        isRepeatable: false,
        attempt: (): Attempt => Effect.fail(lost)
      }).pipe(Effect.flip)
      assert.strictEqual(asked._tag, "NotDone")
    })
  )
})
