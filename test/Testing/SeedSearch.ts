/** Looks for the first seed whose run fails, for the programs `firstFailing….ts`. */
import { Effect, Exit, Logger } from "effect"

/** By default a run fails if its effect does. */
const failureOfExit = (exit: Exit.Exit<unknown, unknown>): string | undefined =>
  Exit.isFailure(exit) ? String(exit.cause) : undefined

/** Prints the first seed whose run fails, and how, as JSON; null if none does. The arguments of the program are `<from> <count>`. */
export const printFirstFailing = async <A, E>(
  run: (seed: number) => Effect.Effect<A, E>,
  failureOf: (exit: Exit.Exit<A, E>) => string | undefined = failureOfExit
): Promise<void> => {
  const [from, count] = process.argv.slice(2).map(Number) as [number, number]
  const firstFailing = Effect.gen(function* () {
    for (let seed = from; seed < from + count; seed++) {
      const failure = failureOf(yield* Effect.exit(run(seed)))
      if (failure !== undefined) return { seed, failure }
    }
    return null
  })
  console.log(JSON.stringify(await Effect.runPromise(Effect.provide(firstFailing, Logger.layer([])))))
}
