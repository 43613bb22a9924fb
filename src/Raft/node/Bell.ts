/**
 * Rings for a node's next turn. However often it rings before that, one turn comes, as a task of its own: requests and
 * messages that arrive together share a turn. A microtask would come after each of them, and halves the rate at 16
 * clients. Effect's scheduler runs the task, so that virtual time in tests sees it.
 */
import { Effect, Scheduler } from "effect"

/** Makes the function that rings for `turn`. */
export const make = (turn: () => void): Effect.Effect<() => void> =>
  Effect.map(Scheduler.Scheduler, (scheduler) => {
    const dispatcher = scheduler.makeDispatcher()
    let isRung = false
    const task = () => {
      isRung = false
      turn()
    }
    return () => {
      if (isRung) return
      isRung = true
      dispatcher.scheduleTask(task, 0)
    }
  })
