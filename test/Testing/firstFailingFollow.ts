/** Prints the first seed whose followers are told something wrong, as JSON: `node firstFailingFollow.ts <from> <count>`. The mutation tests run it with a fault in the sources. */
import { Effect, Exit, Logger } from "effect"
import { run } from "./FollowRun.ts"

const [from, count] = process.argv.slice(2).map(Number) as [number, number]

const firstFailing = Effect.gen(function* () {
  for (let seed = from; seed < from + count; seed++) {
    const ran = yield* Effect.exit(run(seed))
    if (Exit.isFailure(ran)) return { seed, failure: String(ran.cause) }
  }
  return null
}).pipe(Effect.provide(Logger.layer([])))

console.log(JSON.stringify(await Effect.runPromise(firstFailing)))
