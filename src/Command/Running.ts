/**
 * Runs an effect at once, to its end or not at all. The machine decides synchronously, and a long run would keep the
 * node from leading. So an effect that suspends, or runs for too long, is interrupted, and no part of it runs later. A
 * plain JavaScript loop that never returns to the scheduler cannot be stopped.
 */
import { type Context, Effect, type Exit, type Scheduler } from "effect"

/** The number of fibers that one effect may start or resume. */
const tasksMaxCount = 20_000

/** How often its fibers may use up a turn of 2,048 steps. This takes some hundredths of a second. */
const yieldsMaxCount = 500

/** Runs tasks in the order of their arrival, up to a bound, and takes none afterwards. Serves one effect. */
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

/**
 * How the effect ended; undefined if it did not end at once. `onEnd` is called when it ends, before fibers that it left
 * behind go on.
 */
export const runNow = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  context: Context.Context<R>,
  onEnd: () => void = () => {}
): Exit.Exit<A, E> | undefined => {
  const { drain, scheduler } = boundedScheduler()
  const fiber = Effect.runForkWith(context)(effect, { scheduler })
  fiber.addObserver(onEnd)
  drain()
  const exit = fiber.pollUnsafe()
  if (exit === undefined) fiber.interruptUnsafe()
  return exit
}
