/**
 * The requests that wait for entries. Pure. An entry is known by (index, term). If an entry of another term is
 * committed at the index, the awaited one never will be. Nothing else proves that: a truncated log does not (Raft Fig.
 * 8).
 */
import { invariant } from "../../Invariant.ts"
import { InFlight } from "./InFlight.ts"

/** The entries proposed here for which a request waits. Bounded by the proposals that a leader admits. */
export interface Waiters<A> {
  readonly byIndex: InFlight<Array<{ readonly term: number; readonly waiter: A }>>
}

/** Without any waiting request. */
export const make = <A>(): Waiters<A> => ({ byIndex: new InFlight() })

/** Makes `waiter` wait for the entry of `term` at `index`. */
export const add = <A>(waiters: Waiters<A>, at: { readonly index: number; readonly term: number }, waiter: A): void => {
  const there = waiters.byIndex.get(at.index)
  if (there === undefined) {
    waiters.byIndex.set(at.index, [{ term: at.term, waiter }])
    return
  }
  invariant(!there.some((other) => other.term === at.term), "two proposals were given one index and term")
  there.push({ term: at.term, waiter })
}

/** Nearly no entry has a waiter on a follower. */
const nobody = { done: [], notDone: [] }

/**
 * Call as each entry is applied. It returns the requests that waited for this entry, and those whose entry is now
 * certainly not done.
 */
export const settle = <A>(
  waiters: Waiters<A>,
  at: { readonly index: number; readonly term: number }
): { readonly done: ReadonlyArray<A>; readonly notDone: ReadonlyArray<A> } => {
  const there = waiters.byIndex.get(at.index)
  if (there === undefined) return nobody
  waiters.byIndex.delete(at.index)
  return {
    done: there.filter((entry) => entry.term === at.term).map((entry) => entry.waiter),
    notDone: there.filter((entry) => entry.term !== at.term).map((entry) => entry.waiter)
  }
}

/** This node stopped: returns all waiting requests, which it will not answer any more. */
export const drain = <A>(waiters: Waiters<A>): ReadonlyArray<A> => {
  const all = waiters.byIndex.entries()
  for (const [index] of all) waiters.byIndex.delete(index)
  return all.flatMap(([, there]) => there.map(({ waiter }) => waiter))
}

/** `waiter` gave up: its deadline passed, and its outcome is unknown. */
export const remove = <A>(waiters: Waiters<A>, index: number, waiter: A): void => {
  const rest = (waiters.byIndex.get(index) ?? []).filter((entry) => entry.waiter !== waiter)
  if (rest.length === 0) waiters.byIndex.delete(index)
  else waiters.byIndex.set(index, rest)
}
