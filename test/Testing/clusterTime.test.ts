/** The virtual time of a test cluster, and work outside of it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { OutsideWork } from "../../src/Http/OutsideWork.ts"
import * as Time from "../../src/Testing/TestClusterTime.ts"

/** Real work of many turns of the event loop: virtual time runs through hours meanwhile, if nothing holds it. */
const turns = async (count: number) => {
  for (let at = 0; at < count; at++) await new Promise<void>((resolve) => void setImmediate(resolve))
  return "done"
}

/** The outcome of such work under a limit of a minute, beside fibers that set timers all the time. */
const limited = (work: (outside: OutsideWork) => Promise<string>) =>
  Effect.gen(function* () {
    const time = yield* Time.make(0)
    const program = Effect.flatMap(OutsideWork, (outside) =>
      Effect.promise(() => work(outside)).pipe(
        Effect.timeoutOrElse({ duration: "1 minute", orElse: () => Effect.succeed("late") }),
        Effect.raceFirst(Effect.forever(Effect.sleep("50 millis")))
      )
    )
    return yield* time.run(program)
  }).pipe(Effect.scoped)

describe("the time of a test cluster", () => {
  it.live("stands still during outside work, and goes on behind it", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* limited((outside) => outside.during(turns(5_000))), "done")
      // It goes on although the work has failed.
      const failing = (outside: OutsideWork) =>
        outside.during(Promise.reject(new Error("no"))).then(
          () => "",
          () => new Promise<string>(() => {})
        )
      assert.strictEqual(yield* limited(failing), "late")
    })
  )

  it.live("runs on during other work", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* limited(() => turns(5_000)), "late")
    })
  )
})
