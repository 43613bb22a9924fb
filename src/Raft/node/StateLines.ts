/**
 * Lines of a node's log about things that change their state: a peer that connects, a reaction that fails. A thing that
 * flaps has a line at most every ten seconds, which says how often it changed meanwhile. Its last state is always told.
 */
import { Effect } from "effect"
import { secondsBetween } from "./Histogram.ts"

/** Between two lines about one thing. */
export const sayAgainMs = 10_000
/** The most things that are remembered. The oldest one is forgotten, and its next state is news. */
const thingsMaxCount = 1_000

/** The states of a node's things, by their names. */
export interface StateLines<State extends string> {
  /**
   * The thing has this state now. `say` writes the line, if this is news; its argument is the end of the line. Past the ten
   * seconds it is called later, unless another change came.
   */
  readonly changed: (thing: string, state: State, say: (meanwhile: string) => Effect.Effect<void>) => void
  /** The thing is gone: nothing more is said about it. */
  readonly forget: (thing: string) => void
}

interface Thing<State> {
  state: State
  saidState: State | undefined
  saidNanos: bigint | undefined
  /** Changes since the last line. */
  changesCount: number
  say: (meanwhile: string) => Effect.Effect<void>
  isWaiting: boolean
}

/** `initial` is the state of a thing that nobody has told yet. Without one, its first state is news. */
export const make = <State extends string>(options: {
  readonly nowNanos: () => bigint
  readonly fork: (effect: Effect.Effect<void>) => void
  readonly initial?: State
}): StateLines<State> => {
  const things = new Map<string, Thing<State>>()

  const sayNow = (thing: Thing<State>): void => {
    if (thing.state === thing.saidState) return
    const others = thing.changesCount - 1
    thing.saidState = thing.state
    thing.saidNanos = options.nowNanos()
    thing.changesCount = 0
    options.fork(thing.say(others < 1 ? "" : ` (${others} other changes since the last such line)`))
  }

  /** What is left of the ten seconds since its last line. */
  const restMs = ({ saidNanos }: Thing<State>): number =>
    saidNanos === undefined ? 0 : sayAgainMs - 1_000 * secondsBetween(saidNanos, options.nowNanos())

  return {
    changed: (name, state, say) => {
      let thing = things.get(name)
      if (thing === undefined) {
        const { initial } = options
        if (state === initial) return
        thing = {
          state,
          saidState: initial,
          saidNanos: undefined,
          changesCount: 0,
          say,
          isWaiting: false
        }
        things.set(name, thing)
        const [oldest] = things.keys()
        if (things.size > thingsMaxCount && oldest !== undefined) things.delete(oldest)
      } else if (thing.state === state) return
      const known = thing
      known.state = state
      known.say = say
      known.changesCount += 1
      if (known.isWaiting) return
      const waitMs = restMs(known)
      if (waitMs <= 0) return sayNow(known)
      known.isWaiting = true
      const later = Effect.sync(() => {
        known.isWaiting = false
        if (things.get(name) === known) sayNow(known)
      })
      options.fork(Effect.delay(later, waitMs))
    },
    forget: (name) => void things.delete(name)
  }
}
