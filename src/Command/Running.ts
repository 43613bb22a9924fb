/**
 * Runs an effect at once, to its end or not at all. The machine decides synchronously, and what runs for long keeps the
 * node from leading: an effect that suspends, or goes on for too long, is interrupted, and nothing of it runs later.
 * What never comes back to the scheduler, a loop of plain JavaScript, cannot be stopped by anybody.
 */
import { type Context, Effect, type Exit, type Scheduler } from "effect"

/** Fibers that may be started or resumed by one effect. */
const tasksMaxCount = 20_000

/** How often its fibers may use up what they may do in one go, 2,048 steps of an effect: some hundredths of a second. */
const yieldsMaxCount = 500

/** Hands out tasks in the order in which they came, up to a bound, and takes none afterwards. Of use to one effect. */
const boundedScheduler = () => {
  const tasks: Array<() => void> = []
  let isOver = false
  let yieldsCount = 0
  const drain = (): void => {
    for (let at = 0; at < tasks.length && at < tasksMaxCount && yieldsCount < yieldsMaxCount; at++) tasks[at]?.()
    isOver = true
    tasks.length = 0
  }
  const scheduler: Scheduler.Scheduler = {
    executionMode: "sync",
    shouldYield: ({ cache, currentOpCount }) => {
      const yields = currentOpCount >= cache.maxOpsBeforeYield
      if (yields) yieldsCount += 1
      return yields
    },
    makeDispatcher: () => ({ scheduleTask: (task) => void (isOver || tasks.push(task)), flush: drain })
  }
  return { scheduler, drain }
}

/** How the effect ended; undefined if it did not end at once. */
export const runNow = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  context: Context.Context<R>
): Exit.Exit<A, E> | undefined => {
  const { drain, scheduler } = boundedScheduler()
  const fiber = Effect.runForkWith(context)(effect, { scheduler })
  drain()
  const exit = fiber.pollUnsafe()
  if (exit === undefined) fiber.interruptUnsafe()
  return exit
}
