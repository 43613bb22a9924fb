/**
 * Virtual time for the nodes of one test: their fibers run on a scheduler and a clock of their own. Time moves only while
 * the test waits for a program here, and only once every fiber here waits: then it jumps to the next timer. So a second
 * takes no second, and the same beginning leads to the same end. While a token is checked (OutsideWork.ts), time stands still.
 */
import { Clock, Context, Duration, Effect, Fiber, Latch, Scheduler, type Scope } from "effect"
import { OutsideWork } from "../Http/OutsideWork.ts"

/** Tasks that run before the test's own fibers and the runtime have their turn: a busy loop here must not end the test. */
const turnMaxCount = 1_000
const nanosPerMilli = 1_000_000

/** The clock and the scheduler of the fibers here, and the way in. */
export interface TestClusterTime {
  readonly clock: Clock.Clock
  /** Runs `effect` in this time, wherever it is asked for, and lets time pass until it is over. */
  readonly run: Run
  /** Makes a group of fibers that can stand still while time goes on, like a stopped process. */
  readonly process: () => Process
}

type Run = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Fibers that stand still together. */
export interface Process {
  readonly run: Run
  readonly pause: () => void
  readonly resume: () => void
}

interface Timer {
  readonly dueNanos: bigint
  readonly wake: () => void
}

const makeClock = (epochMs: number) => {
  const epochNanos = BigInt(epochMs) * BigInt(nanosPerMilli)
  let nowNanos = 0n
  /** In order of their time; timers of the same time in the order in which they were set. */
  const timers: Array<Timer> = []
  const wallNanos = () => epochNanos + nowNanos
  const wallMillis = () => Number(wallNanos() / BigInt(nanosPerMilli))
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: wallMillis,
    currentTimeMillis: Effect.sync(wallMillis),
    currentTimeNanosUnsafe: wallNanos,
    currentTimeNanos: Effect.sync(wallNanos),
    monotonicTimeNanosUnsafe: () => nowNanos,
    monotonicTimeNanos: Effect.sync(() => nowNanos),
    sleep: (duration) =>
      Effect.callback((resume) => {
        if (!Duration.isFinite(duration)) return
        const dueNanos = nowNanos + Duration.toNanosUnsafe(duration)
        const timer = { dueNanos, wake: () => resume(Effect.void) }
        timers.splice(timers.findLastIndex((each) => each.dueNanos <= dueNanos) + 1, 0, timer)
        return Effect.sync(() => {
          const position = timers.indexOf(timer)
          if (position >= 0) timers.splice(position, 1)
        })
      })
  }
  /** Moves time to the next timer. */
  const advance = (): void => {
    const timer = timers.shift()
    if (timer === undefined) return
    nowNanos = timer.dueNanos
    timer.wake()
  }
  return { clock, advance }
}

/** Begins at `epochMs`, and ends with its scope. By then no fiber may be left in it. */
export const make = Effect.fnUntraced(function* (
  epochMs: number
): Effect.fn.Return<TestClusterTime, never, Scope.Scope> {
  const { advance, clock } = makeClock(epochMs)
  const tasks: Array<() => void> = []
  const bell = Latch.makeUnsafe(false)
  let runningCount = 0
  let outsideCount = 0
  let isOver = false

  const remove = (from: Array<() => void>, task: () => void): void => {
    const position = from.indexOf(task)
    if (position >= 0) from.splice(position, 1)
  }
  const add = (task: () => void): void => {
    // Fibers that a test leaves behind end as they would anywhere else.
    if (isOver) queueMicrotask(task)
    else tasks.push(task)
    bell.openUnsafe()
  }
  const scheduler = new Scheduler.MixedScheduler("async", (task) => {
    add(task)
    return () => remove(tasks, task)
  })

  const turn = Effect.gen(function* () {
    yield* bell.await
    for (let count = 0; count < turnMaxCount && tasks.length > 0; count++) tasks.shift()?.()
    // A turn of the runtime too: fibers that wait for a promise may go on before time does.
    yield* Effect.yieldNow
    if (tasks.length > 0) return
    if (runningCount > 0 && outsideCount === 0) advance()
    else bell.closeUnsafe()
  })
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      isOver = true
      for (const task of tasks.splice(0)) queueMicrotask(task)
    })
  )
  yield* Effect.forkScoped(Effect.forever(turn))

  // It counts until the promise settles, and not until its fiber goes on: that one may stand still.
  const outside: OutsideWork = {
    during: (work) => {
      outsideCount += 1
      return work.finally(() => {
        outsideCount -= 1
        bell.openUnsafe()
      })
    }
  }

  const runOn =
    (own: Scheduler.Scheduler): Run =>
    <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.contextWith((context: Context.Context<R>) =>
        Effect.callback<A, E>((resume) => {
          const here = Context.make(Clock.Clock, clock).pipe(
            Context.add(Scheduler.Scheduler, own),
            Context.add(OutsideWork, outside)
          )
          const fiber = Effect.runForkWith(Context.merge(context, here))(effect)
          runningCount += 1
          bell.openUnsafe()
          fiber.addObserver((exit) => {
            runningCount -= 1
            resume(exit)
          })
          return Fiber.interrupt(fiber)
        })
      )

  const process = (): Process => {
    /** The tasks that wait until the process goes on; undefined while it runs. */
    let held: Array<() => void> | undefined
    const own = new Scheduler.MixedScheduler("async", (task) => {
      if (held === undefined || isOver) add(task)
      else held.push(task)
      return () => {
        remove(tasks, task)
        if (held !== undefined) remove(held, task)
      }
    })
    return {
      run: runOn(own),
      pause: () => {
        held ??= []
      },
      resume: () => {
        const waiting = held ?? []
        held = undefined
        for (const task of waiting) add(task)
      }
    }
  }

  return { clock, run: runOn(scheduler), process }
})
